-- Whether what lies here was written to this run of the server; what may be old is thrown away.
--
-- KEYS: the mark of a slot group. Answers 1 if data were thrown away, else 0.
--
-- A server that has read its own append-only file has all it ever answered for, as far as the operating system got it
-- written. One that has read a snapshot, or was a replica in this run, has the data of some earlier moment. Without a
-- mark nothing is known, as with a server that is new to us: then the data stay.

local run = string.match(redis.call('INFO', 'server'), 'run_id:(%w+)')
local known = redis.call('GET', KEYS[1])
if not run or known == run then return 0 end
local has_file = string.find(redis.call('INFO', 'persistence'), 'aof_enabled:1')
local never_replica = string.find(redis.call('INFO', 'replication'), 'master_replid2:0+[\r\n]')
local old = known and not (has_file and never_replica)
if old then redis.call('FLUSHDB', 'ASYNC') end
redis.call('SET', KEYS[1], run)
return old and 1 or 0
