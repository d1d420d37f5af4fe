-- Take dead processes out of the registry, for some of the people who are said to be online; nobody is announced yet.
-- KEYS: registry hash, those who are said to be online; ARGV: cursor, how many people about, then the id of each dead
-- process and the millisecond at which it was last alive, or 0 where that is not known.
-- Who was connected to these alone left at that millisecond; else, or if registered nowhere at all, now.
-- Returns the next cursor ('0' after the last), how many people left, and the ids of the other processes seen.
local SIZE = 8
local dead, seen, others, left = {}, {}, {}, 0
local now = redis.call('TIME')
local now_ms = string.format('%.0f', now[1] * 1000 + math.floor(now[2] / 1000))
for i = 3, #ARGV, 2 do
  dead[ARGV[i]] = ARGV[i + 1] ~= '0' and ARGV[i + 1] or now_ms
end

local page = redis.call('ZSCAN', KEYS[2], ARGV[1], 'COUNT', ARGV[2])
for i = 1, #page[2], 2 do
  local field, score = page[2][i], page[2][i + 1]
  local value, rest, since = redis.call('HGET', KEYS[1], field) or '', {}, nil
  for start = 1, #value, SIZE do
    local process = string.sub(value, start, start + SIZE - 1)
    if dead[process] then
      since = (since and tonumber(since) > tonumber(dead[process])) and since or dead[process]
    else
      rest[#rest + 1] = process
      if not seen[process] then
        seen[process] = true
        others[#others + 1] = process
      end
    end
  end
  if #rest == 0 then
    if since then redis.call('HDEL', KEYS[1], field) end
    if score == '0' then
      redis.call('ZADD', KEYS[2], since or now_ms, field)
      left = left + 1
    end
  elseif since then
    redis.call('HSET', KEYS[1], field, table.concat(rest))
  end
end

return { page[1], left, others }
