-- KEYS: those who are said to be online, when others were last; ARGV[1] a person's field.
-- Returns whether the person is online, and the millisecond at which they last were, or 0 if that is not known.
if redis.call('ZSCORE', KEYS[1], ARGV[1]) then return { 1, '0' } end
return { 0, redis.call('ZSCORE', KEYS[2], ARGV[1]) or '0' }
