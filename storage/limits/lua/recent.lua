-- Add a member to the recent ones of a subject, and count these.
--
-- KEYS[1]: sorted set of members by time. ARGV: member, its time in ms, the window in ms, the most members that are kept.
-- Returns the number of different members within the window. The key expires with it.

local key, at, window, most = KEYS[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
redis.call('ZADD', key, 'GT', at, ARGV[1])
redis.call('ZREMRANGEBYSCORE', key, '-inf', string.format('(%.0f', at - window))
redis.call('ZREMRANGEBYRANK', key, 0, -(most + 1))
redis.call('PEXPIRE', key, window)
return redis.call('ZCARD', key)
