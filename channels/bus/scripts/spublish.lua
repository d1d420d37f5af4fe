-- Put before every script on a cluster: how to reach those who hear a channel, which has the slot of the script's keys.
-- Returns how many do.
local function publish(channel, message)
  return redis.call('SPUBLISH', channel, message)
end
