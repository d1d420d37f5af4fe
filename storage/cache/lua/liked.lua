-- Set what one person likes, each unless something newer stands.
--
-- KEYS: the person's hash. ARGV: time to live in s, marker to set or '', then photo id and signed version, in
-- turn; a negative version is a like taken back. An act that arrives before the hash is loaded is kept
-- too, since what is being read from the database may be older. The life is not prolonged: a day after it was
-- begun the hash is read anew.

for index = 3, #ARGV, 2 do
  local present = redis.call('HGET', KEYS[1], ARGV[index])
  if not present or math.abs(tonumber(present)) <= math.abs(tonumber(ARGV[index + 1])) then
    redis.call('HSET', KEYS[1], ARGV[index], ARGV[index + 1])
  end
end
if ARGV[2] ~= '' then redis.call('HSET', KEYS[1], '*', ARGV[2]) end
if redis.call('TTL', KEYS[1]) < 0 then redis.call('EXPIRE', KEYS[1], ARGV[1]) end
return 1
