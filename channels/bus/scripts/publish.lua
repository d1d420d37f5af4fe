-- Fragment for a single server: defines publish(channel, message), which returns the number of subscribers reached.

local function publish(channel, message)
  return redis.call('PUBLISH', channel, message)
end
