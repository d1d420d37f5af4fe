-- Fragment for a cluster: defines publish(channel, message), which returns the number of subscribers reached.
-- SPUBLISH requires that the channel hashes to the slot of the script's keys.

local function publish(channel, message)
  return redis.call('SPUBLISH', channel, message)
end
