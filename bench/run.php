<?php

/**
 * Measures this project beside its peers in one run, in turn, on the same events and handler: one producer, two workers.
 *
 *     php bench/run.php <extension.so> [events] [rounds]
 *
 * Prints medians, and the ratio to php-zmq in the same round, as machines differ and drift.
 */

declare(strict_types=1);

namespace Bench;

require __DIR__ . '/counter.php';

const PACED = 2_000;
const PAUSE = 500;

$extension = realpath($argv[1] ?? '') ?: exit("usage: php bench/run.php <extension.so> [events] [rounds]\n");
$events = (int) ($argv[2] ?? 300_000);
$rounds = (int) ($argv[3] ?? 5);

/** A background process, killed at the end. */
final class Process
{
    /** @var resource */
    private $process;

    /** @param list<string> $command */
    public function __construct(array $command)
    {
        $this->process = proc_open($command, [['file', '/dev/null', 'r'], ['file', '/dev/null', 'w'], STDERR], $pipes);
    }

    public function stop(int $signal): void
    {
        proc_terminate($this->process, $signal);
        proc_close($this->process);
    }
}

/** A measured peer: how its server side is started, how its producer, and with which signal it stops. */
final class Peer
{
    /**
     * @param list<list<string>> $servers
     * @param list<string> $producer
     */
    public function __construct(public string $name, private array $servers, private array $producer, private int $signal)
    {
    }

    /** @return array{rate: float, p50: float, p99: float, paced50: float, paced99: float} */
    public function measure(string $directory, int $key, int $events): array
    {
        $counter = new Counter($key);
        $counter->reset();
        $fill = static fn (array $command): array => str_replace(['{dir}', '{key}'], [$directory, (string) $key], $command);
        $servers = array_map(static fn (array $command): Process => new Process($fill($command)), $this->servers);
        $deadline = hrtime(true) + 10_000_000_000;
        while (!glob("$directory/*") && hrtime(true) < $deadline) {
            usleep(10_000);
        }
        usleep(300_000);
        [$flat, $seconds] = $this->send($fill($this->producer), $events, 0, $counter);
        [$paced] = $this->send($fill($this->producer), PACED, PAUSE, $counter);
        foreach (array_reverse($servers) as $server) {
            $server->stop($this->signal);
        }
        $counter->remove();

        return [
            'rate' => $events / $seconds,
            'p50' => $flat['p50'],
            'p99' => $flat['p99'],
            'paced50' => $paced['p50'],
            'paced99' => $paced['p99'],
        ];
    }

    /**
     * @param list<string> $command
     *
     * @return array{0: array<string, float>, 1: float}
     */
    private function send(array $command, int $events, int $pause, Counter $counter): array
    {
        $before = $counter->sum();
        $process = proc_open(str_replace(['{count}', '{pause}'], [(string) $events, (string) $pause], $command), [1 => ['pipe', 'w']], $pipes);
        $deadline = hrtime(true) + 120_000_000_000;
        while ($counter->sum() - $before < $events + 1) {
            if (hrtime(true) > $deadline) {
                throw new \RuntimeException(sprintf('%s: %d of %d events handled', $this->name, $counter->sum() - $before, $events + 1));
            }
            usleep(500);
        }
        $ended = hrtime(true);
        $said = json_decode(stream_get_contents($pipes[1]), true);
        proc_close($process);

        return [$said, ($ended - $said['began']) / 1e9];
    }
}

$php = [PHP_BINARY, '-n', '-d', 'opcache.enable_cli=0'];
$ours = [...$php, '-d', 'extension=shmop.so', '-d', "extension=$extension", __DIR__ . '/peer_proletarier.php'];
$zmq = [...$php, '-d', 'extension=shmop.so', '-d', 'extension=zmq.so', __DIR__ . '/peer_phpzmq.php'];
$peers = [
    new Peer('php-zmq device', [[...$zmq, 'device', '{dir}'], [...$zmq, 'worker', '{dir}', '{key}'], [...$zmq, 'worker', '{dir}', '{key}']], [...$zmq, 'send', '{dir}', '{count}', '{pause}'], SIGKILL),
    ...array_map(static fn (string $store): Peer => new Peer(
        "proletarier, $store",
        [[...$ours, 'daemon', '{dir}', '{key}', $store]],
        [...$ours, 'send', '{dir}', '{count}', '{pause}', 'deferred'],
        SIGTERM
    ), ['memory', 'disk', 'synced']),
];

$results = [];
for ($round = 0; $round < $rounds; $round++) {
    foreach ($peers as $place => $peer) {
        $directory = sys_get_temp_dir() . '/bench-' . getmypid() . "-$round-$place";
        mkdir($directory, 0700);
        $results[$peer->name][] = $peer->measure($directory, 0x50000 + getmypid() * 8 + $place, $events);
        exec('rm -rf ' . escapeshellarg($directory));
    }
}

$median = static function (array $values): float {
    sort($values);

    return $values[intdiv(count($values), 2)];
};
$columns = ['rate' => 'events/s', 'p50' => 'p50 us', 'p99' => 'p99 us', 'paced50' => 'paced p50', 'paced99' => 'paced p99'];
printf("%d events, %d rounds, one producer, two workers; medians, and in brackets the median ratio to %s\n", $events, $rounds, $peers[0]->name);
printf("%-22s" . str_repeat('%22s', count($columns)) . "\n", 'peer', ...array_values($columns));
foreach ($results as $name => $runs) {
    printf('%-22s', $name);
    foreach (array_keys($columns) as $column) {
        $ratios = array_map(static fn (array $run, array $base): float => $run[$column] / $base[$column], $runs, $results[$peers[0]->name]);
        printf('%22s', sprintf($column === 'rate' ? '%s (%.2f)' : '%s (%.2f)', number_format($median(array_column($runs, $column)), $column === 'rate' ? 0 : 2), $median($ratios)));
    }
    echo "\n";
}
