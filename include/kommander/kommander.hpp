// The whole public API; backends and transports have headers of their own.
#pragma once

#include <kommander/batch.hpp>
#include <kommander/clock.hpp>
#include <kommander/configuration.hpp>
#include <kommander/dependencies.hpp>
#include <kommander/discovery.hpp>
#include <kommander/entry.hpp>
#include <kommander/errors.hpp>
#include <kommander/handlers.hpp>
#include <kommander/ids.hpp>
#include <kommander/io_scheduler.hpp>
#include <kommander/messages.hpp>
#include <kommander/payload.hpp>
#include <kommander/raft_configuration.hpp>
#include <kommander/raft_log.hpp>
#include <kommander/raft_manager.hpp>
#include <kommander/replicate_options.hpp>
#include <kommander/status.hpp>
#include <kommander/time.hpp>
#include <kommander/transport.hpp>
#include <kommander/wal.hpp>
#include <kommander/write_unit.hpp>
