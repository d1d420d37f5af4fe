-- How to reach those who hear a channel on a cluster, where it has the slot of the script's keys. Returns how many do.

local function publish(channel, message)
  return redis.call('SPUBLISH', channel, message)
end
