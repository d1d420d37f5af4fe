-- Put one id into many logs (or mark it removed, or renew it) and tell those people who are online, in one step:
-- a worker killed between the two would leave a gap that nobody notices.
--
-- KEYS: the group's registry hash, then the logs, all of one slot group.
-- ARGV: mode (insert, remove, renew), id, window, prefix of the processes' channels, body, user ids (8 bytes each),
-- seconds for which a log is unsettled after it was begun or edited.
-- Answers: logs changed, people online, messages published, and the ids of those whose logs are unsettled: for them
-- nothing was done, because whoever called may have read the followers before that edit.

local mode, id, window = ARGV[1], ARGV[2], tonumber(ARGV[3])
local prefix, body, users, settling = ARGV[4], ARGV[5], ARGV[6], tonumber(ARGV[7])
local upper, lower = struct.unpack('>I4I4', id)
local marked = mode == 'remove' and struct.pack('>I4I4', upper + REMOVED, lower) or id

-- First pass: one offset for all, later than anything in any of the logs, so that one frame serves everyone.
local heads, offset = {}, now_us()
for index = 2, #KEYS do
  local head = redis.call('GETRANGE', KEYS[index], AT_HEADER, AT_BODY - 1)
  heads[index] = head
  if head ~= '' then
    local top = struct.unpack('>I8', head, 9)
    if top >= offset then offset = top + 1 end
  end
end
local offset_bytes = struct.pack('>I8', offset)
local entry = offset_bytes .. marked
local tail = offset_bytes .. id

-- The staging slots are full: move what is in them into the body, over the oldest entries once that is full.
-- Returns how many entries were dropped.
local function flush(key, h)
  local body = h.count - h.staged
  local drop = math.max(body + STAGED - h.slots, 0)
  if drop > 0 and h.slots < window then
    local count = h.count
    store(key, h, entries_of(key, h, 0, count), window, 'KEEPTTL')
    return count - h.count
  end
  local staged = redis.call('GETRANGE', key, 0, AT_HEADER - 1)
  forget_oldest(h, entries_of(key, h, 0, drop))
  h.start, h.count, h.staged = (h.start + drop) % h.slots, h.count - drop, 0
  write_entries(key, h, body - drop, staged)
  return drop
end

-- Insert the entry at `index`, and move what stands above it up by one place.
local function insert_at(key, h, index)
  if h.staged == STAGED then index = index - flush(key, h) end
  local moved = entries_of(key, h, index, h.count)
  if index == h.count then h.last = id end
  h.count, h.staged = h.count + 1, h.staged + 1
  if index >= h.count - h.staged then
    local free = string.rep('\0', (STAGED - h.staged) * ENTRY)
    redis.call('SETRANGE', key, position(h, index), entry .. moved .. free .. header_bytes(h))
  else
    write_entries(key, h, index, entry .. moved)
    write_header(key, h)
  end
end

-- The id stands in the log, or is not above all others: give its entry the new offset, or put it in its order.
-- Returns whether there is anything to tell.
local function place(key, h)
  local index, there = search(key, h, upper, lower)
  if there then
    local at = position(h, index)
    local told_at, word = struct.unpack('>I8I4', redis.call('GETRANGE', key, at, at + 11))
    -- An entry without an offset came with a follow or a rebuild that was quicker than the photo's own
    -- announcement: its owner, who may have read the feed before, was never told of it.
    if word >= REMOVED or (mode == 'insert' and told_at > 0) then return false end
    redis.call('SETRANGE', key, at, entry)
    h.top = offset
    write_header(key, h)
  elseif index == 0 and h.count > 0 and not has(h.flags, COMPLETE) and not has(h.flags, BUILDING) then
    -- Older than the window: an entry here would pretend that nothing is missing between it and the next.
    -- Whoever is away could not be told of it later, so recovery from before this moment is given up.
    h.top, h.floor = offset, offset
    write_header(key, h)
  elseif h.count - index <= NEAR and index > STAGED then
    h.top = offset
    insert_at(key, h, index)
  else
    h.top = offset
    local entries = entries_of(key, h, 0, h.count)
    entries = string.sub(entries, 1, index * ENTRY) .. entry .. string.sub(entries, index * ENTRY + 1)
    store(key, h, entries, window, 'KEEPTTL')
  end
  return true
end

-- What is written into a free staging slot: the entry, the slots behind it, which are free, and the header's
-- beginning. It depends on flags, edits, count and staged only, which many logs have in common.
local made = {}
local function slot_of(state)
  local flags, edits, count, staged = struct.unpack('>I2I2I2I2', state)
  if staged == STAGED then return nil end
  local free = string.rep('\0', (STAGED - staged - 1) * ENTRY)
  local header = struct.pack('>I2I2I2I2', flags, edits, count + 1, staged + 1) .. tail
  made[state] = { staged * ENTRY, entry .. free .. header }
  return made[state]
end

-- Second pass: the usual case, an id above all others and a free staging slot, is one small write.
local changed, told, unsettled = 0, {}, {}
local settled_s = settling > 0 and math.floor(offset / 1000000) - settling or math.huge
local settled_us = settled_s * 1000000
for index = 2, #KEYS do
  local key, beginning, news = KEYS[index], heads[index], true
  local user = string.sub(users, index * 8 - 15, index * 8 - 8)
  if beginning ~= '' then
    local last_upper, last_lower, epoch, _, _, _, edited = struct.unpack('>I4I4I8I8I2I2I4', beginning, 17)
    if edited >= settled_s or epoch >= settled_us then
      news = false
      unsettled[#unsettled + 1] = user
    elseif last_upper < upper or (last_upper == upper and last_lower < lower) then
      local state = string.sub(beginning, 1, 8)
      local slot = made[state] or slot_of(state)
      if slot then
        redis.call('SETRANGE', key, slot[1], slot[2])
      else
        local h = head(key)
        h.top = offset
        insert_at(key, h, h.count)
      end
    else
      news = place(key, head(key))
    end
    if news then changed = changed + 1 end
  end
  -- Without a log there is nothing to recover from, which a person who is online learns on reconnecting;
  -- the announcement still goes out.
  if news then told[#told + 1] = user end
end
unsettled = table.concat(unsettled)
if #told == 0 or redis.call('EXISTS', KEYS[1]) == 0 then return { changed, 0, 0, unsettled } end

-- Presence values are process ids of 8 characters, one after another.
local online, processes, order = 0, {}, {}
for first = 1, #told, 4000 do
  local last = math.min(first + 3999, #told)
  local values = redis.call('HMGET', KEYS[1], unpack(told, first, last))
  for index = first, last do
    local value = values[index - first + 1]
    if value then
      online = online + 1
      for at = 1, #value, 8 do
        local process = string.sub(value, at, at + 7)
        local people = processes[process]
        if not people then
          people = {}
          processes[process] = people
          order[#order + 1] = process
        end
        people[#people + 1] = told[index]
      end
    end
  end
end

-- Nobody listens under that process id: it died. Forget it, so that its people count as away.
local function forget(process, people)
  for _, user in ipairs(people) do
    local value, kept = redis.call('HGET', KEYS[1], user) or '', {}
    for at = 1, #value, 8 do
      local other = string.sub(value, at, at + 7)
      if other ~= process then kept[#kept + 1] = other end
    end
    if #kept > 0 then
      redis.call('HSET', KEYS[1], user, table.concat(kept))
    else
      redis.call('HDEL', KEYS[1], user)
    end
  end
end

for _, process in ipairs(order) do
  local people = processes[process]
  local message = struct.pack('>BI8I4', 1, offset, #people) .. table.concat(people) .. body
  if publish(prefix .. process, message) == 0 then forget(process, people) end
end
return { changed, online, #order, unsettled }
