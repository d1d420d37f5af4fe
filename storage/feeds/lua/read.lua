-- Read a log, after pulling into it what the stars that its owner follows have announced.
--
-- KEYS: the log. ARGV: window, time to live in s, the last byte to return (-1: all).
-- Returns the bytes; none if there is no log.

local h = head(KEYS[1])
if not h or not pull(KEYS[1], h, tonumber(ARGV[1])) then return '' end
expire(KEYS[1], h, ARGV[2])
return redis.call('GETRANGE', KEYS[1], 0, ARGV[3])
