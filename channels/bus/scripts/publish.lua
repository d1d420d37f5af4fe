-- Put before every script where Redis is one server: how to reach those who hear a channel. Returns how many do.
local function publish(channel, message)
  return redis.call('PUBLISH', channel, message)
end
