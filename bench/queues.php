<?php

/**
 * Measures how long fast events wait beside a queue of slow ones: while that is empty, while it is full and capped at half the pool, and without a cap.
 *
 *     php -d extension=<extension.so> bench/queues.php [seconds] [workers] [fast events a second]
 *
 * Slow events take 5 seconds, fast ones one millisecond. The wait is the time from before trigger() until the handler starts.
 */

declare(strict_types=1);

const SLOW = 5_000_000;
const FAST = 1_000;

if (($argv[1] ?? '') === '--serve') {
    serve($argv[2], json_decode($argv[3], true));
}

[$seconds, $workers, $rate] = [(float) ($argv[1] ?? 20), (int) ($argv[2] ?? 4), (float) ($argv[3] ?? 200)];
$slow = $workers * 2 + (int) ($workers * $seconds / 5);
foreach (['empty:' => [0, null], 'capped at half:' => [$slow, intdiv($workers, 2)], 'with no cap:' => [$slow, null]] as $case => [$count, $cap]) {
    $waits = measure($seconds, $workers, $rate, $cap, $count);
    $at = static fn (float $part): float => ($waits[(int) ($part * (count($waits) - 1))] ?? NAN) / 1000;
    printf(
        "slow queue %-16s %6d fast events   waited p50 %8.2f ms   p99 %8.2f ms   longest %8.2f ms\n",
        $case,
        count($waits),
        $at(0.5),
        $at(0.99),
        $at(1),
    );
}

/** The daemon: it writes each fast event's wait, in microseconds. */
function serve(string $directory, array $queues): never
{
    $waits = null;
    $listeners = [
        ['slow', static function (): void {
            for ($until = hrtime(true) + SLOW * 1000; ($left = $until - hrtime(true)) > 0;) {
                usleep(intdiv($left, 1000) + 1);
            }
        }],
        ['fast', static function ($event) use ($directory, &$waits): void {
            $began = hrtime(true);
            $waits ??= fopen("$directory/waits-" . getmypid(), 'a');
            fwrite($waits, intdiv($began - $event->getParam('sent'), 1000) . "\n");
            while (hrtime(true) - $began < FAST * 1000) {
            }
        }],
    ];
    exit(proletarier_run($listeners, [
        'runtime_dir' => "$directory/run",
        'store' => 'memory:',
        'queues' => $queues,
        'worker' => ['pool_size' => $queues['workers']['concurrency'] ?? 4, 'grace' => 0.5],
    ]));
}

/** @return list<int> the waits in microseconds, sorted */
function measure(float $seconds, int $workers, float $rate, ?int $cap, int $slow): array
{
    $directory = sys_get_temp_dir() . '/proletarier-queues-' . getmypid() . '-' . "$slow-$cap";
    mkdir($directory);
    $queues = ['slow' => array_filter(['events' => 'slow', 'concurrency' => $cap]), 'workers' => ['concurrency' => $workers]];
    $extension = extension_file();
    $command = [PHP_BINARY, '-d', "extension=$extension", __FILE__, '--serve', $directory, json_encode($queues)];
    $daemon = proc_open($command, [['file', '/dev/null', 'r'], ['file', "$directory/log", 'w'], ['file', "$directory/log", 'a']], $pipes);
    $client = new Proletarier\Client(null, ['runtime_dir' => "$directory/run", 'spool' => false, 'timeout' => 10]);
    for ($number = 0; $number < $slow; $number++) {
        $client->trigger('slow', [], ['confirm' => 'accepted']);
    }
    usleep(1_000_000);
    $triggered = 0;
    for ($begin = hrtime(true), $next = $begin; hrtime(true) - $begin < $seconds * 1e9; $next += 1e9 / $rate) {
        while (($left = $next - hrtime(true)) > 0) {
            usleep((int) ($left / 1000) + 1);
        }
        $client->trigger('fast', ['sent' => hrtime(true)], ['confirm' => 'none']);
        $triggered++;
    }
    $client->flush();
    // Those that wait behind slow ones start when these end.
    for ($deadline = time() + 60; count($waits = waits($directory)) < $triggered && time() < $deadline;) {
        usleep(100_000);
    }
    proc_terminate($daemon, SIGTERM);
    proc_close($daemon);
    exec('rm -r ' . escapeshellarg($directory));
    sort($waits);

    return $waits;
}

/** @return list<int> */
function waits(string $directory): array
{
    $waits = [];
    foreach (glob("$directory/waits-*") as $file) {
        array_push($waits, ...array_map(intval(...), file($file, FILE_IGNORE_NEW_LINES)));
    }

    return $waits;
}

/** The file that the extension of this process was loaded from. */
function extension_file(): string
{
    preg_match('~\S*/libproletarier\.so$|\S*/proletarier\.so$~m', file_get_contents('/proc/self/maps'), $found);

    return $found[0] ?? 'proletarier';
}
