-- Count authors of tags, hour by hour; a repetition changes nothing.
--
-- KEYS: any key of the slot, whose beginning is that of all others. ARGV: time to live of the counts and of the sets of
-- used tags in s, then (hour, author, tag) of each use.

for at = 3, #ARGV, 3 do
  local hour, author, tag = ARGV[at], ARGV[at + 1], ARGV[at + 2]
  local count, used = KEYS[1] .. ':' .. hour .. ':' .. tag, KEYS[1] .. ':used:' .. hour
  redis.call('PFADD', count, author)
  redis.call('EXPIRE', count, ARGV[1])
  redis.call('SADD', used, tag)
  redis.call('EXPIRE', used, ARGV[2])
end
