<?php

/** Proletarier: `daemon <dir> <key> <memory|disk|synced>` runs a daemon with two workers, `send <dir> <count> <pause> <confirm>` triggers and prints what it took. */

declare(strict_types=1);

namespace Bench;

use Proletarier\Client;

require __DIR__ . '/counter.php';
require __DIR__ . '/events.php';

[, $role, $directory] = $argv;
if ($role === 'daemon') {
    $counter = new Counter((int) $argv[3]);
    exit(\proletarier_run(
        ['counted' => ['event' => 'order.placed', 'listener' => static function ($event) use ($counter): void {
            $counter->add();
        }]],
        [
            'runtime_dir' => $directory,
            'store' => $argv[4] === 'memory' ? 'memory:' : "$directory/store",
            'broker' => ['synced' => $argv[4] === 'synced'],
            'worker' => ['pool_size' => 2],
            'log' => ['level' => 'error'],
        ],
    ));
}
[, , , $count, $pause, $confirm] = $argv;
$client = new Client(null, ['runtime_dir' => $directory, 'timeout' => 10, 'confirm' => $confirm]);
$client->trigger('order.placed', params(0), ['confirm' => 'accepted']);
$began = hrtime(true);
$times = timed((int) $count, (int) $pause, static function (array $params) use ($client): void {
    $client->trigger('order.placed', $params);
});
$client->flush(30);
echo json_encode(['began' => $began, 'p50' => percentile($times, 0.5), 'p99' => percentile($times, 0.99)]), "\n";
