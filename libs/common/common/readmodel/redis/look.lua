-- Returns the run_id of this Redis, the generation to write to ("": none is there), and its state.
--
-- KEYS  current
-- ARGV  prefix of the service's keys, the field that holds a generation's state, the generation that the caller writes to

local run = string.match(redis.call('INFO', 'server'), 'run_id:(%w+)')
for _, name in ipairs({redis.call('GET', KEYS[1]) or '', ARGV[3]}) do
  local state = name ~= '' and redis.call('HGET', ARGV[1] .. name .. ':documents', ARGV[2])
  if state then
    return {run, name, state}
  end
end
return {run, '', ''}
