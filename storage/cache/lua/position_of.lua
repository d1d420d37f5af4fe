-- Return a user's position in the write-ahead log, and whether none of the user's slot group can have been lost.
--
-- KEYS: the user's position; the mark of its slot group. ARGV: milliseconds for which positions are kept.
-- Returns: the position or false; 1 if the group's data are older than that, else 0.

local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local since = tonumber(redis.call('GET', KEYS[2]))
-- The mark is lost together with the positions. One from the future is from before a step back of the clock.
if not since or since > now then
  since = now
  redis.call('SET', KEYS[2], string.format('%.0f', now))
end
return { redis.call('GET', KEYS[1]), now - since >= tonumber(ARGV[1]) and 1 or 0 }
