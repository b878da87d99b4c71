<?php

/**
 * The application whose listeners run for too long: `php limits.php <directory> <options as JSON>`.
 *
 * The listener `slow` of the event `slow` does, in its first attempt, what the param `way` says; `behind` comes after it. Both append a line to
 * `<directory>/handled` when they have done. `brief` is as long as the param `seconds` says, with a limit of 0.01 s, and triggers an event that is to
 * be confirmed before it counts as done; `free`, with no limit, comes after it.
 */

declare(strict_types=1);

[, $directory, $options] = $argv;

$note = static function (string $listener, object $event, string $what = '') use ($directory): void {
    $line = ['listener' => $listener, 'id' => $event->getId(), 'attempt' => $event->getAttempt(), 'pid' => getmypid(), 'what' => $what];
    file_put_contents("$directory/handled", json_encode($line) . "\n", FILE_APPEND);
};

final class AtItsEnd
{
    public function __destruct()
    {
        sleep(30);
    }
}

$busy = static function (float $seconds): int {
    $until = microtime(true) + $seconds;
    for ($turns = 0; microtime(true) < $until; ++$turns) {
    }

    return $turns;
};

$ways = [
    'a busy loop' => static function (): void {
        while (true) {
        }
    },
    'a loop with calls' => static fn () => $busy(30),
    'sleep' => static fn () => sleep(30),
    'usleep' => static fn () => usleep(30_000_000),
    'sleep again and again' => static function (): void {
        while (true) {
            sleep(30);
        }
    },
    'stream_select' => static function (): void {
        $pair = stream_socket_pair(STREAM_PF_UNIX, STREAM_SOCK_STREAM, 0);
        [$read, $write, $except] = [[$pair[0]], [], []];
        @stream_select($read, $write, $except, 30);
    },
    'socket_recv' => static function (): void {
        socket_create_pair(AF_UNIX, SOCK_STREAM, 0, $pair);
        @socket_recv($pair[0], $data, 1, 0);
    },
    'flock' => static function () use ($directory): void {
        [$mine, $other] = [fopen("$directory/lock", 'c'), fopen("$directory/lock", 'c')];
        flock($other, LOCK_EX);
        flock($mine, LOCK_EX);
    },
    'a preg loop' => static function (): void {
        while (true) {
            preg_match('/(a+)+b/', str_repeat('a', 15));
        }
    },
    'array_map' => static fn () => array_map(static fn (int $number): float => sqrt($number), range(1, 2_000_000)) && $busy(30),
    'a generator' => static function (): void {
        $numbers = (static function () {
            for ($number = 0; true; ++$number) {
                yield $number;
            }
        })();
        foreach ($numbers as $number) {
        }
    },
    'a fiber' => static fn () => (new Fiber(static fn () => $busy(30)))->start(),
    'a destructor' => static function (): void {
        $object = new AtItsEnd();
        unset($object);
    },
    'asynchronous signals' => static function (): void {
        pcntl_async_signals(true);
        while (true) {
        }
    },
    'catch (Exception)' => static function ($event) use ($note): void {
        try {
            sleep(30);
        } catch (Exception) {
            $note('slow', $event, 'swallowed');
        }
    },
    'a finally block' => static function ($event) use ($note): void {
        try {
            sleep(30);
        } finally {
            usleep(300_000);
            $note('slow', $event, 'finally');
        }
    },
    'after a finally block' => static function ($event) use ($note, $busy): void {
        try {
            $note('slow', $event, 'try');
        } finally {
            $busy(0.5);
            $note('slow', $event, 'finally');
        }
        sleep(30);
        $note('slow', $event, 'too far');
    },
    'catch (Throwable)' => static function (): void {
        while (true) {
            try {
                sleep(30);
            } catch (Throwable) {
            }
        }
    },
    'an end without end' => static function (): void {
        register_shutdown_function(static function (): void {
            while (true) {
                sleep(30);
            }
        });
        exit(3);
    },
    'a read' => static function (): void {
        $pair = stream_socket_pair(STREAM_PF_UNIX, STREAM_SOCK_STREAM, 0);
        stream_set_timeout($pair[0], 60);
        fread($pair[0], 1); // Here it is.
    },
];

$nap = static fn (string $listener): Closure => static function ($event) use ($listener, $note): void {
    usleep($event->getParam('micros'));
    $note($listener, $event);
};

$client = new Proletarier\Client(null, ['runtime_dir' => "$directory/run", 'timeout' => 5]);
$listeners = [
    'slow' => ['event' => 'slow', 'priority' => 2, 'listener' => static function ($event) use ($ways, $note): void {
        if ($event->getAttempt() === 1 || $event->getParam('always') !== null) {
            $ways[$event->getParam('way')]($event);
        }
        $note('slow', $event);
    }],
    'behind' => ['event' => 'slow', 'priority' => 1, 'listener' => static fn ($event) => $note('behind', $event)],
    'own' => ['event' => 'own', 'timeout' => 0.1, 'listener' => $nap('own')],
    'long' => ['event' => 'long', 'timeout' => 30, 'listener' => $nap('long')],
    'never' => ['event' => 'never', 'timeout' => false, 'listener' => $nap('never')],
    'brief' => ['event' => 'brief', 'priority' => 2, 'timeout' => 0.01, 'listener' => static function ($event) use ($busy, $note, $client): void {
        $busy($event->getParam('seconds'));
        $note('brief', $event);
        $client->trigger('never', ['micros' => 0]);
    }, 'retry' => ['max_attempts' => 1]],
    'free' => ['event' => 'brief', 'priority' => 1, 'timeout' => false, 'listener' => static function ($event) use ($busy, $note): void {
        $busy(0.001);
        $note('free', $event);
    }, 'retry' => ['max_attempts' => 1]],
];

exit(\proletarier_run($listeners, json_decode($options, true)));
