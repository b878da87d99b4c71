<?php

/** The application of bench/steady.php: `php steady_application.php <directory> <options as JSON>`. Its listeners write nothing down. */

declare(strict_types=1);

require dirname(__DIR__) . '/tests/bootstrap.php';

$keep = [];
$listeners = [
    'quick' => ['event' => 'quick', 'listener' => static fn ($event): int => crc32(json_encode($event->getParams()))],
    'moody' => [
        'event' => 'moody',
        'listener' => static fn ($event) => $event->getAttempt() > 1 ?: throw new RuntimeException('not in the mood'),
    ],
    'slow' => ['event' => 'slow', 'listener' => static fn () => usleep(5_000)],
    'leak' => [
        'event' => 'leak',
        'listener' => static function ($event) use (&$keep): void {
            $keep[] = str_repeat('x', (int) $event->getParam('bytes'));
        },
    ],
];
exit(\proletarier_run($listeners, json_decode($argv[2], true)));
