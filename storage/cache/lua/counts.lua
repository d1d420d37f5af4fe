-- Store a photo's counters unless newer ones are stored.
--
-- KEYS: the counters ("version likes comments ", followed by their JSON).
-- ARGV: version, the whole value, time to live in s. Returns 1 if the value was stored.

local present = redis.call('GET', KEYS[1])
if present and tonumber(string.match(present, '^%d+')) > tonumber(ARGV[1]) then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[3])
return 1
