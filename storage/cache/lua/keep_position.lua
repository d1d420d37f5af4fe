-- Keep the greatest position of a user in the write-ahead log.
--
-- KEYS: the user's position. ARGV: the position as hexadecimal digits of a fixed number, whose order is that of the
-- numbers; milliseconds for which it is kept.

local kept = redis.call('GET', KEYS[1])
-- Concurrent requests of a user may arrive in another order than that of their commits. The greater position covers the
-- smaller one, for which it has to be kept as long.
local position = ARGV[1]
if kept and kept > position then position = kept end
redis.call('SET', KEYS[1], position, 'PX', ARGV[2])
