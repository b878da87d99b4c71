<?php

/**
 * Measures what order by key costs: the same events with no key, and with a hundred keys in turn, to two workers.
 *
 *     php bench/keys.php <extension.so> [events] [rounds] [microseconds that the listener works]
 *
 * Prints medians, and the ratio of events with keys to those without.
 */

declare(strict_types=1);

namespace Bench;

use Proletarier\Client;

require __DIR__ . '/counter.php';
require __DIR__ . '/events.php';

if (extension_loaded('proletarier')) {
    [, $role, $directory, $key] = $argv;
    if ($role === 'daemon') {
        $counter = new Counter((int) $key);
        $work = 1_000 * (int) $argv[4];
        exit(\proletarier_run(
            ['counted' => ['event' => 'order.placed', 'listener' => static function ($event) use ($counter, $work): void {
                $until = hrtime(true) + $work;
                while ($work > 0 && hrtime(true) < $until) {
                    continue;
                }
                $counter->add();
            }]],
            [
                'runtime_dir' => $directory,
                'store' => "$directory/store",
                'worker' => ['pool_size' => 2],
                'log' => ['level' => 'error'],
            ],
        ));
    }
    $client = new Client(null, ['runtime_dir' => $directory, 'timeout' => 30]);
    $client->trigger('order.placed', params(0), ['confirm' => 'accepted']);
    $began = hrtime(true);
    for ($number = 0; $number < (int) $argv[5]; $number++) {
        $client->trigger('order.placed', params($number), $argv[4] === 'keys' ? ['key' => 'order-' . $number % 100] : []);
    }
    $client->flush(60);
    echo $began;
    exit(0);
}

$extension = realpath($argv[1] ?? '') ?: exit("usage: php bench/keys.php <extension.so> [events] [rounds]\n");
$events = (int) ($argv[2] ?? 200_000);
$rounds = (int) ($argv[3] ?? 5);
$directory = sys_get_temp_dir() . '/proletarier-keys-' . getmypid();
mkdir($directory);
$command = [PHP_BINARY, '-d', "extension=$extension", __FILE__];
$counter = new Counter($memory = getmypid());
$counter->reset();
$nothing = [['file', '/dev/null', 'r'], ['file', '/dev/null', 'w'], STDERR];
$daemon = proc_open([...$command, 'daemon', $directory, (string) $memory, $argv[4] ?? '0'], $nothing, $pipes);
$rates = ['none' => [], 'keys' => []];
for ($round = 0; $round <= $rounds; $round++) {
    foreach (array_keys($rates) as $how) {
        $before = $counter->sum();
        $send = [...$command, 'send', $directory, (string) $memory, $how, (string) $events];
        $sender = proc_open($send, [1 => ['pipe', 'w'], 2 => STDERR], $pipes);
        $sum = 0;
        $handled = static function () use ($counter, &$sum): int {
            return $sum = $counter->sum();
        };
        while ($handled() < $before + $events + 1) {
            usleep(200);
        }
        $ended = hrtime(true);
        $began = (int) stream_get_contents($pipes[1]);
        proc_close($sender);
        // The first round warms up.
        if ($round > 0) {
            $rates[$how][] = $events / ($ended - $began) * 1e9;
        }
    }
}
proc_terminate($daemon, SIGTERM);
proc_close($daemon);
$counter->remove();
$ratios = array_map(static fn (float $none, float $keys): float => $keys / $none, $rates['none'], $rates['keys']);
foreach ($rates as $how => &$all) {
    sort($all);
    printf("%-5s %8.0f events/s (%.0f to %.0f)\n", $how, $all[intdiv(count($all), 2)], $all[0], end($all));
}
sort($ratios);
printf("ratio %8.2f (%.2f to %.2f)\n", $ratios[intdiv(count($ratios), 2)], $ratios[0], end($ratios));
