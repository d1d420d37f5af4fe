-- Insert one id into many logs (or mark it removed, or publish it again) and publish the change to the owners who are
-- online. Both happen in one script: a worker killed between two steps would leave a gap that no client can detect.
--
-- The script needs deliver(key, destination, users, offset, body) -> users online, messages published. The live layer
-- provides it; its key, destination and body are opaque here.
--
-- KEYS: the key for deliver(), then the logs, all in one slot group.
-- ARGV: mode (insert, remove, republish), id, window, destination, body, ids of the logs' owners (8 bytes each), and
-- the age in seconds up to which an edited log, or one that is being built, is left alone (0: never).
-- Returns: logs changed, users online, messages published, and the ids of users whose logs were edited recently.
-- Nothing was done for those: the caller may have read the list of followers before that edit.

local mode, id, window = ARGV[1], ARGV[2], tonumber(ARGV[3])
local destination, body, users, min_age = ARGV[4], ARGV[5], ARGV[6], tonumber(ARGV[7])
local upper, lower = struct.unpack('>I4I4', id)
local marked = mode == 'remove' and struct.pack('>I4I4', upper + REMOVED, lower) or id

-- First pass: choose one offset for all logs, greater than any offset in any of them. One encoded frame then serves
-- all recipients.
local now = now_us()
local heads, offset = {}, now
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

-- Move the entries of the full staging slots into the ring. A full ring loses its oldest entries.
-- Returns the number of entries dropped.
local function flush(key, h)
  local body = h.count - h.staged
  local drop = math.max(body + STAGED - h.slots, 0)
  -- The ring is full but smaller than the window: allocate a larger one instead of dropping entries.
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

-- Insert the entry at `index`, and move the entries above it up by one.
local function insert_at(key, h, index)
  if h.staged == STAGED then index = index - flush(key, h) end
  local moved = entries_of(key, h, index, h.count)
  if index == h.count then h.last = id end
  h.count, h.staged = h.count + 1, h.staged + 1
  if index >= h.count - h.staged then
    -- Staging slots and header are adjacent, so this is a single write.
    local free = string.rep('\0', (STAGED - h.staged) * ENTRY)
    redis.call('SETRANGE', key, position(h, index), entry .. moved .. free .. header_bytes(h))
  else
    write_entries(key, h, index, entry .. moved)
    write_header(key, h)
  end
end

-- Handle an id that is already in the log or is not greater than all others: give its entry the new offset, or insert
-- it in id order. Returns whether there is anything to publish.
local function insert_or_update(key, h)
  local index, there = search(key, h, upper, lower)
  if there then
    local at = position(h, index)
    local published_at, word = struct.unpack('>I8I4', redis.call('GETRANGE', key, at, at + 11))
    -- A removed id stays removed. An entry with offset 0 was merged by a follow or a rebuild before the photo itself
    -- was published: its owner may have read the feed earlier and has not received it yet.
    if word >= REMOVED or (mode == 'insert' and published_at > 0) then return false end
    redis.call('SETRANGE', key, at, entry)
    h.top = offset
    write_header(key, h)
  elseif index == 0 and h.count > 0 and not has(h.flags, COMPLETE) and not has(h.flags, BUILDING) then
    -- The id is older than the window. An entry here would claim that nothing is missing between it and the next
    -- one. Without an entry, clients that are offline could not recover the change; raising the floor to this offset
    -- makes them read the feed again.
    h.top, h.floor = offset, offset
    write_header(key, h)
  elseif h.count - index <= NEAR and index > STAGED then
    h.top = offset
    insert_at(key, h, index)
  else
    -- Deep inside a long log it is cheaper to write the whole log than to move many entries.
    h.top = offset
    local entries = entries_of(key, h, 0, h.count)
    entries = string.sub(entries, 1, index * ENTRY) .. entry .. string.sub(entries, index * ENTRY + 1)
    store(key, h, entries, window, 'KEEPTTL')
  end
  return true
end

-- Return position and bytes of the write that puts the entry into the next free staging slot: the entry, the free
-- slots after it, and the first part of the header. They depend on flags, edits, count and staged only, which many
-- logs have in common, so they are built once for each such state. Returns nil if there is no free slot.
local writes = {}
local function staging_write(state)
  local flags, edits, count, staged = struct.unpack('>I2I2I2I2', state)
  if staged == STAGED then return nil end
  local free = string.rep('\0', (STAGED - staged - 1) * ENTRY)
  local header = struct.pack('>I2I2I2I2', flags, edits, count + 1, staged + 1) .. tail
  writes[state] = { staged * ENTRY, entry .. free .. header }
  return writes[state]
end

-- Second pass. In the usual case the id is greater than all others and a staging slot is free: one small write.
local changed, recipients, recently_edited = 0, {}, {}
-- Compared with the clock and not with `offset`, which is ahead of a clock that stepped back.
local now_s = math.floor(now / 1000000)

-- Return whether the follow has to be verified, given the flags of a log and the time of its last edit.
local function is_recent(key, flags, edited)
  if min_age == 0 then return false end
  if edited > now_s then bound_edited(key, head(key), now_s) end
  return has(flags, BUILDING) or edited >= now_s - min_age
end

for index = 2, #KEYS do
  local key, beginning, publishable = KEYS[index], heads[index], true
  local user = string.sub(users, index * 8 - 15, index * 8 - 8)
  if beginning ~= '' then
    local flags, _, _, _, _, last_upper, last_lower, _, _, _, _, edited =
      struct.unpack('>I2I2I2I2I8I4I4I8I8I2I2I4', beginning)
    if is_recent(key, flags, edited) then
      publishable = false
      recently_edited[#recently_edited + 1] = user
    elseif last_upper < upper or (last_upper == upper and last_lower < lower) then
      local state = string.sub(beginning, 1, 8)
      local write = writes[state] or staging_write(state)
      if write then
        redis.call('SETRANGE', key, write[1], write[2])
      else
        local h = head(key)
        h.top = offset
        insert_at(key, h, h.count)
      end
    else
      publishable = insert_or_update(key, head(key))
    end
    if publishable then changed = changed + 1 end
  end
  -- A user without a log still receives the message. There is nothing to recover from, which the client learns when
  -- it reconnects.
  if publishable then recipients[#recipients + 1] = user end
end

local online, messages = deliver(KEYS[1], destination, recipients, offset, body)
return { changed, online, messages, table.concat(recently_edited) }
