-- Remove dead processes from the registry for one page of the users announced as online; publish nothing.
--
-- KEYS: registry hash, users announced as online. ARGV: cursor, approximate page size, then of each dead process its id
-- and the millisecond of its last heartbeat, or 0 if unknown.
-- A user with no other process departed at that last heartbeat; a user who is registered nowhere departs now.
-- Returns the next cursor ('0' after the last page), the number of users departed, and the ids of the other processes.

local PROCESS_ID = 8 -- bytes
local dead, seen, others, departed = {}, {}, {}, 0
local now = redis.call('TIME')
local now_ms = string.format('%.0f', now[1] * 1000 + math.floor(now[2] / 1000))
for i = 3, #ARGV, 2 do
  dead[ARGV[i]] = ARGV[i + 1] ~= '0' and ARGV[i + 1] or now_ms
end

local page = redis.call('ZSCAN', KEYS[2], ARGV[1], 'COUNT', ARGV[2])
for i = 1, #page[2], 2 do
  local field, score = page[2][i], page[2][i + 1]
  local value, rest, since = redis.call('HGET', KEYS[1], field) or '', {}, nil
  for start = 1, #value, PROCESS_ID do
    local process = string.sub(value, start, start + PROCESS_ID - 1)
    if dead[process] then
      -- Of several dead processes the one that lived longest counts.
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
    -- Any other score is a departure that was recorded before, whose grace period is running.
    if score == '0' then
      redis.call('ZADD', KEYS[2], since or now_ms, field)
      departed = departed + 1
    end
  elseif since then
    redis.call('HSET', KEYS[1], field, table.concat(rest))
  end
end

return { page[1], departed, others }
