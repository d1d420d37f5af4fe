-- Read the presence of one user.
--
-- KEYS: users announced as online, last-seen times of the others. ARGV[1]: the user's field.
-- Returns whether the user is online, and the millisecond at which the user was last online, or 0 if unknown.

if redis.call('ZSCORE', KEYS[1], ARGV[1]) then return { 1, '0' } end
return { 0, redis.call('ZSCORE', KEYS[2], ARGV[1]) or '0' }
