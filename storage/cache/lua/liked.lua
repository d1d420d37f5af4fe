-- Store likes of one user, each unless a newer action on the same photo is stored.
--
-- KEYS: the user's hash. ARGV: time to live in s, marker to set or '', then photo id and signed version in turn; a
-- negative version is an unlike.

for index = 3, #ARGV, 2 do
  -- An unlike is stored, too, and also before the hash is loaded: the load may have read the database before it.
  local present = redis.call('HGET', KEYS[1], ARGV[index])
  if not present or math.abs(tonumber(present)) <= math.abs(tonumber(ARGV[index + 1])) then
    redis.call('HSET', KEYS[1], ARGV[index], ARGV[index + 1])
  end
end
if ARGV[2] ~= '' then redis.call('HSET', KEYS[1], '*', ARGV[2]) end
-- The time to live is not extended: one day after its creation the hash is loaded again.
if redis.call('TTL', KEYS[1]) < 0 then redis.call('EXPIRE', KEYS[1], ARGV[1]) end
return 1
