<?php

/**
 * The application of the soak: `php application.php <directory> <seed>`. In a process group of its own, so that all of it can be killed.
 *
 * Each listener writes down that it begins (B), that it has done (D), and the mortal one that it is about to die (M): event, listener,
 * attempt, pid, time. The chain triggers an event, and writes down which one it is about to trigger (I).
 */

declare(strict_types=1);

use Proletarier\Tests\Soak\Dice;
use Proletarier\Tests\Soak\Events;
use Proletarier\Tests\Soak\Site;

require dirname(__DIR__) . '/bootstrap.php';

// The next generation of code is a child of the daemon that it belongs to, which leads the session.
if (posix_getsid(0) !== posix_getppid()) {
    posix_setsid();
}
$site = new Site($argv[1], $argv[2]);
$seed = $site->seed;
$file = $site->file('handled');

$write = static function (string $what, string $listener, $event, string $more = '') use ($file): void {
    static $handle = null, $owner = 0;
    $pid = getmypid();
    if ($owner !== $pid) {
        [$handle, $owner] = [fopen($file, 'a'), $pid];
    }
    // One write to a file that is opened for appending: lines of several workers don't mix.
    $format = "%s %s %s %d %d %.6F%s\n";
    fwrite($handle, sprintf($format, $what, $event->getParam('ref'), $listener, $event->getAttempt(), $pid, microtime(true), $more));
};

// What a listener does in this attempt is drawn from the event: it does the same when it is run again.
$draw = static fn (string $listener, $event): float
    => Dice::of($seed, $listener, $event->getParam('ref'), (string) $event->getAttempt());

// Made before the workers are forked, as a service may be.
$client = new Proletarier\Client(null, $site->paths());
$does = [
    'sure' => static function (): void {
    },
    'chain' => static function ($event) use ($client, $write): void {
        $ref = sprintf('%s-%s.%d.%d', Events::HANDLERS, $event->getParam('ref'), $event->getAttempt(), getmypid());
        $write('I', 'chain', $event, " $ref");
        $client->trigger(Events::LINK, ['ref' => $ref]);
    },
    'moody' => static function ($event) use ($draw): void {
        if ($event->getAttempt() < 4 && $draw('moody', $event) < ($event->getAttempt() === 1 ? 0.05 : 0.3)) {
            throw new RuntimeException('not in the mood');
        }
    },
    'mortal' => static function ($event) use ($draw, $write): void {
        $draw = $draw('mortal', $event);
        if ($event->getAttempt() > 2 || $draw > 0.006) {
            return;
        }
        $write('M', 'mortal', $event);
        match (true) {
            $draw < 0.002 => exit(3),
            $draw < 0.004 => trigger_error('a fatal error', E_USER_ERROR),
            default => posix_kill(getmypid(), SIGKILL),
        };
    },
    'stubborn' => static function ($event) use ($draw): void {
        if ($draw('stubborn', $event) < 0.03) {
            throw new Proletarier\Exception\Unrecoverable('never');
        }
    },
    'later' => static function ($event) use ($draw): void {
        if ($event->getAttempt() < 3 && $draw('later', $event) < 0.1) {
            throw new Proletarier\Exception\RetryAfterException('not now', 0.3);
        }
    },
];

$listeners = [];
foreach (Events::LISTENERS as $event => $names) {
    foreach ($names as $place => $name) {
        $listener = static function ($event) use ($name, $does, $write, $draw): void {
            $write('B', $name, $event);
            $does[$name]($event);
            $write('D', $name, $event);
            // It has done, and does not return yet: who is killed here has to be run again.
            if ($draw("$name lingers", $event) < 0.1) {
                usleep(2_000);
            }
        };
        $listeners[Events::identity($event, $name)] = [
            'event' => $event,
            'listener' => $listener,
            'priority' => 10 - $place,
            'parallel' => in_array($name, Events::PARALLEL, true),
        ];
    }
}

exit(\proletarier_run($listeners, $site->settings()));
