-- Read the presence of one user.
--
-- KEYS: users announced as online, last-seen times of the others. ARGV[1]: the user's field.
-- Returns whether the user is online, and the millisecond at which the user was last online, or 0 if unknown.

if redis.call('ZSCORE', KEYS[1], ARGV[1]) then return { 1, '0' } end
local last, now = redis.call('ZSCORE', KEYS[2], ARGV[1]) or '0', redis.call('TIME')
-- A time in the future was stored before the clock stepped back.
return { 0, string.format('%.0f', math.min(tonumber(last), now[1] * 1000 + math.floor(now[2] / 1000))) }
