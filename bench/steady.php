<?php

/**
 * Runs a daemon at a steady load, and looks at what its processes hold: descriptors, threads and memory, which must not grow.
 *
 *     php -d extension=<extension.so> bench/steady.php [seconds] [events a second] [bytes that each event of 'leak' leaks]
 *
 * It prints a line a minute (30 at least over the run), and at the end how the last third compares with what was there after a sixth of
 * the time: of an hour's run that is the tenth minute. Workers are recycled meanwhile, and the daemon is reloaded three times.
 */

declare(strict_types=1);

use Proletarier\Tests\Daemon;

require dirname(__DIR__) . '/tests/bootstrap.php';

[$seconds, $rate, $leak] = [(float) ($argv[1] ?? 3600), (float) ($argv[2] ?? 500), (int) ($argv[3] ?? 0)];
$daemon = (new Daemon([
    'worker' => ['pool_size' => 4, 'max_events' => 20_000, 'max_memory' => 48 << 20, 'max_lifetime' => 120],
    'queues' => ['slow' => ['events' => 'slow', 'concurrency' => 2]],
    'store' => '%dir%/store',
    'client' => ['spool' => '%dir%/spool'],
    'log' => ['level' => 'error'],
], __DIR__ . '/steady_application.php'))->launch();
$directory = $daemon->directory;
$settings = ['runtime_dir' => "$directory/run", 'store' => "$directory/store"];
$ask = static function () use ($settings): ?array {
    try {
        return \proletarier_control(['command' => 'status'], ['timeout' => 2] + $settings);
    } catch (\Proletarier\Exception\BrokerUnavailable) {
        return null;
    }
};
$producer = $daemon->clientProcess(sprintf(
    '$client = new Proletarier\Client(null, ["runtime_dir" => %s, "spool" => %s]); $end = microtime(true) + %f;'
    . ' for ($n = 0, $next = microtime(true); microtime(true) < $end; $n++, $next += %.9f) {'
    . ' $name = $n %% 100 < 60 ? "quick" : ($n %% 100 < 70 ? "slow" : ($n %% 100 < 71 ? "moody" : "leak"));'
    . ' $options = $n %% 7 === 0 ? ["key" => "key-" . $n %% 50] : ($n %% 11 === 0 ? ["delay" => 1.5] : []);'
    . ' $client->trigger($name, ["n" => $n, "bytes" => %d, "text" => str_repeat("t", 150)], $options);'
    . ' if (($early = $next - microtime(true)) > 0) { usleep((int) ($early * 1e6)); } }',
    var_export("$directory/run", true),
    var_export("$directory/spool", true),
    $seconds,
    1 / $rate,
    $leak,
));

/** @return array<string, array{count: int, fds: int, threads: int, kB: int}> by kind of process */
$look = static function () use ($daemon): array {
    $parents = [];
    foreach (glob('/proc/[0-9]*') as $process) {
        $stat = (string) @file_get_contents("$process/stat");
        $parents[(int) basename($process)] = (int) (explode(' ', substr($stat, (int) strrpos($stat, ')') + 2))[1] ?? 0);
    }
    $found = [];
    foreach (array_keys($parents) as $pid) {
        for ($above = $pid; $above > 1 && $above !== $daemon->pid(); $above = $parents[$above] ?? 0);
        $title = strtok((string) @file_get_contents("/proc/$pid/cmdline"), "\0");
        if ($above <= 1 || !preg_match('/^proletarier: (\w+)/', (string) $title, $match)) {
            continue;
        }
        $memory = (string) @file_get_contents("/proc/$pid/smaps_rollup");
        preg_match_all('/^Private_\w+:\s+(\d+)/m', $memory, $private);
        preg_match('/^Threads:\s+(\d+)/m', (string) @file_get_contents("/proc/$pid/status"), $threads);
        $of = &$found[$match[1]];
        $of ??= ['count' => 0, 'fds' => 0, 'threads' => 0, 'kB' => 0];
        $of['count']++;
        $of['fds'] += count(@scandir("/proc/$pid/fd") ?: ['.', '..']) - 2;
        $of['threads'] += (int) ($threads[1] ?? 0);
        $of['kB'] += array_sum($private[1]);
        unset($of);
    }
    ksort($found);

    return $found;
};
$sum = static fn (array $found, string $what): int => array_sum(array_column($found, $what));

$began = microtime(true);
$every = min(60.0, $seconds / 30);
[$samples, $reloads] = [[], 0];
for ($next = $began + $every; $next <= $began + $seconds; $next += $every) {
    usleep((int) max(0, ($next - microtime(true)) * 1e6));
    $passed = microtime(true) - $began;
    $found = $look();
    $counters = $ask()['counters'] ?? [];
    $samples[] = [$passed, $sum($found, 'fds'), $sum($found, 'threads'), $sum($found, 'kB')];
    $shown = array_map(static fn (string $kind): string => sprintf('%s x%d %.1f MB', $kind, $found[$kind]['count'], $found[$kind]['kB'] / 1024), array_keys($found));
    printf("%6.0f s  %4d fds  %3d threads  %7.1f MB private  done %d  (%s)\n", $passed, ...array_slice(end($samples), 1, 2), ...[$sum($found, 'kB') / 1024, $counters['done'] ?? 0, implode(', ', $shown)]);
    if ($reloads < 3 && $passed > $seconds * ($reloads + 1) / 4) {
        $daemon->signal(SIGHUP);
        $reloads++;
    }
}
proc_close($producer);
$mean = static function (float $from, float $to, int $what) use ($samples, $seconds): float {
    $of = array_column(array_filter($samples, static fn (array $sample): bool => $sample[0] >= $from * $seconds && $sample[0] <= $to * $seconds), $what);

    return array_sum($of) / max(1, count($of));
};
foreach (['descriptors', 'threads', 'private memory'] as $place => $what) {
    [$then, $now] = [$mean(0.1, 0.25, $place + 1), $mean(0.75, 1, $place + 1)];
    printf("%-15s then %9.1f, at the end %9.1f: %.3f\n", $what, $then, $now, $now / $then);
}
$log = $daemon->log();
echo $log === '' ? "no error in the log\n" : 'log: ' . substr_count($log, "\n") . " lines, the last:\n" . substr($log, -600);
