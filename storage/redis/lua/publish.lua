-- How to reach those who hear a channel where Redis is one server. Returns how many do.

local function publish(channel, message)
  return redis.call('PUBLISH', channel, message)
end
