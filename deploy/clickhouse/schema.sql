-- The tables that pycost makes in ClickHouse; nobody has to run this.
-- Made by: build/stores --schema
CREATE DATABASE IF NOT EXISTS pycost;
CREATE TABLE IF NOT EXISTS pycost.costs_minute (attempt UInt64, t UInt64, slice UInt64, fleet UInt64, function UInt64, minutes UInt64, calls UInt64, samples UInt64, self Float64, cumulative Float64, self_squares Float64, cumulative_squares Float64, self_variance Float64, cumulative_variance Float64)
    ENGINE = MergeTree
    PARTITION BY intDiv(t, 3600)
    ORDER BY (fleet, slice, t, function);
CREATE TABLE IF NOT EXISTS pycost.costs_hour (t UInt64, slice UInt64, function UInt64, minutes UInt64, calls UInt64, samples UInt64, self Float64, cumulative Float64, self_squares Float64, cumulative_squares Float64, self_variance Float64, cumulative_variance Float64)
    ENGINE = MergeTree
    PARTITION BY intDiv(t, 86400)
    ORDER BY (slice, function, t);
CREATE TABLE IF NOT EXISTS pycost.costs_day (t UInt64, slice UInt64, function UInt64, minutes UInt64, calls UInt64, samples UInt64, self Float64, cumulative Float64, self_squares Float64, cumulative_squares Float64, self_variance Float64, cumulative_variance Float64)
    ENGINE = MergeTree
    PARTITION BY intDiv(t, 2764800)
    ORDER BY (slice, function, t);
CREATE TABLE IF NOT EXISTS pycost.path_costs_minute (attempt UInt64, t UInt64, slice UInt64, fleet UInt64, path UInt64, calls UInt64, samples UInt64, self Float64)
    ENGINE = MergeTree
    PARTITION BY intDiv(t, 3600)
    ORDER BY (fleet, slice, t, path);
CREATE TABLE IF NOT EXISTS pycost.path_costs_hour (t UInt64, slice UInt64, path UInt64, calls UInt64, samples UInt64, self Float64)
    ENGINE = MergeTree
    PARTITION BY intDiv(t, 86400)
    ORDER BY (slice, path, t);
CREATE TABLE IF NOT EXISTS pycost.path_costs_day (t UInt64, slice UInt64, path UInt64, calls UInt64, samples UInt64, self Float64)
    ENGINE = MergeTree
    PARTITION BY intDiv(t, 2764800)
    ORDER BY (slice, path, t);
CREATE TABLE IF NOT EXISTS pycost.requests_minute (attempt UInt64, t UInt64, slice UInt64, fleet UInt64, n UInt64, estimate Float64, estimate_variance Float64, estimate_weight Float64, cost_estimate Float64, cost_sum Float64, cost_squares Float64, kernel_cost_sum Float64, kernel_cost_squares Float64, latency_sum Float64, latency_squares Float64, cpu_sum Float64, cpu_squares Float64, run_queue_sum Float64, run_queue_squares Float64, syscall_sum Float64, syscall_squares Float64, gil_sum Float64, gil_squares Float64, gc_sum Float64, gc_squares Float64, gcs_sum Float64, gcs_squares Float64, gc_cost_sum Float64, gc_cost_squares Float64, import_sum Float64, import_squares Float64, imports_sum Float64, imports_squares Float64, import_cost_sum Float64, import_cost_squares Float64, rss_sum Float64, rss_squares Float64, bytes_in_sum Float64, bytes_in_squares Float64, bytes_out_sum Float64, bytes_out_squares Float64, threads_sum Float64, threads_squares Float64, head_sum Float64, head_squares Float64, probed_calls_sum Float64, probed_calls_squares Float64)
    ENGINE = MergeTree
    PARTITION BY intDiv(t, 3600)
    ORDER BY (fleet, slice, t);
CREATE TABLE IF NOT EXISTS pycost.requests_hour (t UInt64, slice UInt64, n UInt64, estimate Float64, estimate_variance Float64, estimate_weight Float64, cost_estimate Float64, cost_sum Float64, cost_squares Float64, kernel_cost_sum Float64, kernel_cost_squares Float64, latency_sum Float64, latency_squares Float64, cpu_sum Float64, cpu_squares Float64, run_queue_sum Float64, run_queue_squares Float64, syscall_sum Float64, syscall_squares Float64, gil_sum Float64, gil_squares Float64, gc_sum Float64, gc_squares Float64, gcs_sum Float64, gcs_squares Float64, gc_cost_sum Float64, gc_cost_squares Float64, import_sum Float64, import_squares Float64, imports_sum Float64, imports_squares Float64, import_cost_sum Float64, import_cost_squares Float64, rss_sum Float64, rss_squares Float64, bytes_in_sum Float64, bytes_in_squares Float64, bytes_out_sum Float64, bytes_out_squares Float64, threads_sum Float64, threads_squares Float64, head_sum Float64, head_squares Float64, probed_calls_sum Float64, probed_calls_squares Float64)
    ENGINE = MergeTree
    PARTITION BY intDiv(t, 86400)
    ORDER BY (slice, t);
CREATE TABLE IF NOT EXISTS pycost.requests_day (t UInt64, slice UInt64, n UInt64, estimate Float64, estimate_variance Float64, estimate_weight Float64, cost_estimate Float64, cost_sum Float64, cost_squares Float64, kernel_cost_sum Float64, kernel_cost_squares Float64, latency_sum Float64, latency_squares Float64, cpu_sum Float64, cpu_squares Float64, run_queue_sum Float64, run_queue_squares Float64, syscall_sum Float64, syscall_squares Float64, gil_sum Float64, gil_squares Float64, gc_sum Float64, gc_squares Float64, gcs_sum Float64, gcs_squares Float64, gc_cost_sum Float64, gc_cost_squares Float64, import_sum Float64, import_squares Float64, imports_sum Float64, imports_squares Float64, import_cost_sum Float64, import_cost_squares Float64, rss_sum Float64, rss_squares Float64, bytes_in_sum Float64, bytes_in_squares Float64, bytes_out_sum Float64, bytes_out_squares Float64, threads_sum Float64, threads_squares Float64, head_sum Float64, head_squares Float64, probed_calls_sum Float64, probed_calls_squares Float64)
    ENGINE = MergeTree
    PARTITION BY intDiv(t, 2764800)
    ORDER BY (slice, t);
CREATE TABLE IF NOT EXISTS pycost.bins_minute (attempt UInt64, t UInt64, slice UInt64, fleet UInt64, distribution UInt64, bin UInt64, n UInt64)
    ENGINE = MergeTree
    PARTITION BY intDiv(t, 3600)
    ORDER BY (fleet, slice, t, distribution, bin);
CREATE TABLE IF NOT EXISTS pycost.bins_hour (t UInt64, slice UInt64, distribution UInt64, bin UInt64, n UInt64)
    ENGINE = MergeTree
    PARTITION BY intDiv(t, 86400)
    ORDER BY (slice, distribution, bin, t);
CREATE TABLE IF NOT EXISTS pycost.bins_day (t UInt64, slice UInt64, distribution UInt64, bin UInt64, n UInt64)
    ENGINE = MergeTree
    PARTITION BY intDiv(t, 2764800)
    ORDER BY (slice, distribution, bin, t);
CREATE TABLE IF NOT EXISTS pycost.backends_minute (attempt UInt64, t UInt64, slice UInt64, fleet UInt64, backend String, calls UInt64, ns Float64)
    ENGINE = MergeTree
    PARTITION BY intDiv(t, 3600)
    ORDER BY (fleet, slice, t, backend);
CREATE TABLE IF NOT EXISTS pycost.backends_hour (t UInt64, slice UInt64, backend String, calls UInt64, ns Float64)
    ENGINE = MergeTree
    PARTITION BY intDiv(t, 86400)
    ORDER BY (slice, backend, t);
CREATE TABLE IF NOT EXISTS pycost.backends_day (t UInt64, slice UInt64, backend String, calls UInt64, ns Float64)
    ENGINE = MergeTree
    PARTITION BY intDiv(t, 2764800)
    ORDER BY (slice, backend, t);
CREATE TABLE IF NOT EXISTS pycost.users_minute (attempt UInt64, t UInt64, slice UInt64, fleet UInt64, slot UInt64, level UInt64)
    ENGINE = MergeTree
    PARTITION BY intDiv(t, 3600)
    ORDER BY (fleet, slice, t, slot);
CREATE TABLE IF NOT EXISTS pycost.users_hour (t UInt64, slice UInt64, slot UInt64, level UInt64)
    ENGINE = MergeTree
    PARTITION BY intDiv(t, 86400)
    ORDER BY (slice, slot, t);
CREATE TABLE IF NOT EXISTS pycost.users_day (t UInt64, slice UInt64, slot UInt64, level UInt64)
    ENGINE = MergeTree
    PARTITION BY intDiv(t, 2764800)
    ORDER BY (slice, slot, t);
CREATE TABLE IF NOT EXISTS pycost.counters_minute (attempt UInt64, t UInt64, slice UInt64, fleet UInt64, name String, value Float64)
    ENGINE = MergeTree
    PARTITION BY intDiv(t, 3600)
    ORDER BY (fleet, slice, t, name);
CREATE TABLE IF NOT EXISTS pycost.counters_hour (t UInt64, slice UInt64, name String, value Float64)
    ENGINE = MergeTree
    PARTITION BY intDiv(t, 86400)
    ORDER BY (slice, name, t);
CREATE TABLE IF NOT EXISTS pycost.counters_day (t UInt64, slice UInt64, name String, value Float64)
    ENGINE = MergeTree
    PARTITION BY intDiv(t, 2764800)
    ORDER BY (slice, name, t);
CREATE TABLE IF NOT EXISTS pycost.tags_rows (slice UInt64, key String, value String)
    ENGINE = ReplacingMergeTree
    ORDER BY (slice, key);
CREATE VIEW IF NOT EXISTS pycost.tags
    AS SELECT slice, key, any(value) AS value FROM pycost.tags_rows GROUP BY slice, key;
CREATE TABLE IF NOT EXISTS pycost.functions_rows (function UInt64, name String, qualname String, class_name String, module String, file String, wraps String, line UInt64)
    ENGINE = ReplacingMergeTree
    ORDER BY function;
CREATE VIEW IF NOT EXISTS pycost.functions
    AS SELECT function, any(name) AS name, any(qualname) AS qualname, any(class_name) AS class_name, any(module) AS module, any(file) AS file, any(wraps) AS wraps, any(line) AS line FROM pycost.functions_rows GROUP BY function;
CREATE TABLE IF NOT EXISTS pycost.paths_rows (path UInt64, parent UInt64, function UInt64)
    ENGINE = ReplacingMergeTree
    ORDER BY path;
CREATE VIEW IF NOT EXISTS pycost.paths
    AS SELECT path, any(parent) AS parent, any(function) AS function FROM pycost.paths_rows GROUP BY path;
CREATE TABLE IF NOT EXISTS pycost.versions (version UInt64)
    ENGINE = MergeTree
    ORDER BY version;
CREATE TABLE IF NOT EXISTS pycost.kept (step UInt64, since UInt64, made UInt64)
    ENGINE = MergeTree
    ORDER BY (step, since);
CREATE TABLE IF NOT EXISTS pycost.rolled (step UInt64, t UInt64, shard UInt64, attempts UInt64, made UInt64)
    ENGINE = MergeTree
    PARTITION BY intDiv(t, 2764800)
    ORDER BY (step, t);
CREATE TABLE IF NOT EXISTS pycost.ledger (batch String, attempt UInt64, made UInt64 DEFAULT toUInt64(toUnixTimestamp(now())))
    ENGINE = MergeTree
    PARTITION BY intDiv(made, 86400)
    ORDER BY batch SETTINGS index_granularity = 256;
CREATE TABLE IF NOT EXISTS pycost.attempts (attempt UInt64, hour UInt64, state UInt64, made UInt64 DEFAULT toUInt64(toUnixTimestamp(now())))
    ENGINE = MergeTree
    PARTITION BY intDiv(made, 86400)
    ORDER BY (hour, attempt);
