<?php

/**
 * Handles events whose listener leaks, and shows how much memory the daemon has all the while: workers are replaced before they have too much.
 *
 *     php -d extension=<extension.so> bench/leak.php [events] [bytes leaked by each] [worker.max_memory]
 *
 * Memory is proportional (Pss): what processes share is counted once. It fails where the most after a third of the events is more than a tenth above
 * the most until then.
 */

declare(strict_types=1);

use Proletarier\Tests\Daemon;

if (is_dir($argv[1] ?? '')) {
    // The application itself.
    $leaked = [];
    $leak = static function ($event) use (&$leaked): void {
        $leaked[] = str_repeat('x', $event->getParam('bytes'));
    };
    exit(\proletarier_run(['leak' => ['event' => 'leak', 'listener' => $leak]], json_decode($argv[2], true)));
}

require dirname(__DIR__) . '/tests/bootstrap.php';

[$events, $bytes, $most] = [(int) ($argv[1] ?? 100_000), (int) ($argv[2] ?? 20_000), $argv[3] ?? '64M'];
$daemon = (new Daemon(['worker' => ['pool_size' => 4, 'max_memory' => $most], 'log' => ['format' => 'json']], __FILE__))->start();

$memory = static function () use ($daemon): float {
    $sum = 0;
    foreach (array_keys($daemon->processes()) as $pid) {
        // One that has just ended has none.
        $rollup = (string) @file_get_contents("/proc/$pid/smaps_rollup");
        $sum += preg_match('/^Pss:\s+(\d+) kB/m', $rollup, $match) ? (int) $match[1] : 0;
    }

    return $sum / 1024;
};
$replaced = static fn (): int => substr_count($daemon->log(), '"reason":"max_memory"');

$code = sprintf('foreach (range(1, %d) as $n) { $client->trigger("leak", ["bytes" => %d]); } $client->flush(600.0);', $events, $bytes);
$began = microtime(true);
$client = $daemon->clientProcess($code);
$highest = ['first third' => 0.0, 'after' => 0.0];
$shown = 0;
do {
    usleep(100_000);
    $done = \proletarier_control(['command' => 'status'], ['runtime_dir' => "$daemon->directory/run"])['counters']['done'];
    $now = $memory();
    $part = $done < $events / 3 ? 'first third' : 'after';
    $highest[$part] = max($highest[$part], $now);
    if ($done >= $shown) {
        printf("%6.1f s %8d events %7.1f MB %5d workers replaced\n", microtime(true) - $began, $done, $now, $replaced());
        $shown += intdiv($events, 10);
    }
} while ($done < $events);
proc_close($client);
printf("highest: %.1f MB in the first third, %.1f MB after; %d workers replaced; leaked: %d MB\n", $highest['first third'], $highest['after'], $replaced(), $events * $bytes >> 20);
exit($highest['after'] <= $highest['first third'] * 1.1 ? 0 : 1);
