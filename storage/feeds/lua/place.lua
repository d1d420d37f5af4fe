-- Fragment that places entries in a log, under the rules of storage/feeds/window_log.py. It needs feeds/log.
--
-- An entry `e` is made by new_entry(). `h` is the decoded header of the log; it is changed and written.

local function new_entry(offset, id, removed)
  local upper, lower = struct.unpack('>I4I4', id)
  local marked = removed and struct.pack('>I4I4', upper + REMOVED, lower) or id
  local bytes = struct.pack('>I8', offset) .. marked
  return { offset = offset, id = id, upper = upper, lower = lower, bytes = bytes }
end

-- Move the entries of the full staging slots into the ring. A full ring loses its oldest entries.
-- Returns the number of entries dropped.
local function flush(key, h, window)
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
local function insert_at(key, h, window, index, e)
  if h.staged == STAGED then index = index - flush(key, h, window) end
  local moved = entries_of(key, h, index, h.count)
  if index == h.count then h.last = e.id end
  h.count, h.staged = h.count + 1, h.staged + 1
  if index >= h.count - h.staged then
    -- Staging slots and header are adjacent, so this is a single write.
    local free = string.rep('\0', (STAGED - h.staged) * ENTRY)
    redis.call('SETRANGE', key, position(h, index), e.bytes .. moved .. free .. header_bytes(h))
  else
    write_entries(key, h, index, e.bytes .. moved)
    write_header(key, h)
  end
end

-- Return whether an id is older than everything that a log covers.
local function is_below_window(h, index)
  return index == 0 and h.count > 0 and not has(h.flags, COMPLETE) and not has(h.flags, BUILDING)
end

-- Insert the entry in id order, or give the present entry of the same id the new offset. `mode` is that of feeds/insert.
-- Returns whether there is anything to publish.
local function place(key, h, window, e, mode)
  local top = math.max(h.top, e.offset)
  local last_upper, last_lower = struct.unpack('>I4I4', h.last)
  if last_upper < e.upper or (last_upper == e.upper and last_lower < e.lower) then
    h.top = top
    insert_at(key, h, window, h.count, e)
    return true
  end
  local index, there = search(key, h, e.upper, e.lower)
  if there then
    local at = position(h, index)
    local published_at, word = struct.unpack('>I8I4', redis.call('GETRANGE', key, at, at + 11))
    -- A removed id stays removed, except for one that is restored. An entry with offset 0 was merged by a follow or a
    -- rebuild before the photo itself was published: its owner may have read the feed earlier and has not received it
    -- yet.
    if word >= REMOVED then
      -- What is pulled was announced again after the removal, if its offset is the later one.
      if mode ~= 'restore' and not (mode == 'pull' and e.offset > published_at) then return false end
    elseif mode ~= 'republish' and mode ~= 'remove' and published_at > 0 then
      return false
    end
    redis.call('SETRANGE', key, at, e.bytes)
    h.top = top
    write_header(key, h)
  elseif is_below_window(h, index) then
    -- The id is older than the window. An entry here would claim that nothing is missing between it and the next
    -- one. Without an entry, clients that are offline could not recover the change; raising the floor to this offset
    -- makes them read the feed again.
    h.top, h.floor = top, math.max(h.floor, e.offset)
    write_header(key, h)
  elseif h.count - index <= NEAR and index > STAGED then
    h.top = top
    insert_at(key, h, window, index, e)
  else
    -- Deep inside a long log it is cheaper to write the whole log than to move many entries.
    h.top = top
    local entries = entries_of(key, h, 0, h.count)
    entries = string.sub(entries, 1, index * ENTRY) .. e.bytes .. string.sub(entries, index * ENTRY + 1)
    store(key, h, entries, window, 'KEEPTTL')
  end
  return true
end
