<?php

/**
 * The application that the system tests run: `php application.php <directory> <options as JSON>`.
 *
 * Each listener appends a line to `<directory>/handled` when it has done, and does before what the params' `do` asks of it:
 * `{"do": {"<listener>": "kill" | "exit" | "memory" | "throw" | "fatal" | "give up" | "later" | "recycle" | "mend"}}` in the first attempt, `{"sleep":
 * seconds}` in each. "mend" throws until there is a file `<directory>/mended`. Where there is a file `<directory>/herald`, there is a listener
 * of `proletarier.dead`.
 */

declare(strict_types=1);

use Proletarier\EventInterface;

[, $directory, $options] = $argv;

$listener = static function (string $name) use ($directory): callable {
    return static function ($event) use ($name, $directory): void {
        $params = $event->getParams();
        $started = microtime(true);
        if (isset($params['sleep'])) {
            usleep((int) ($params['sleep'] * 1e6));
        }
        if ($event->getAttempt() === 1 || isset($params['always'])) {
            match ($params['do'][$name] ?? null) {
                'kill' => posix_kill(getmypid(), SIGKILL),
                'exit' => exit(3),
                'memory' => str_repeat('x', PHP_INT_MAX >> 8),
                'throw' => throw new RuntimeException('as asked'),
                'give up' => throw new Proletarier\Exception\Unrecoverable('for good'),
                'later' => throw new Proletarier\Exception\RetryAfterException('busy', 0.5),
                'fatal' => trigger_error('as asked', E_USER_ERROR),
                'fork' => pcntl_fork(),
                'recycle' => \proletarier_recycle('as asked'),
                'print' => print("printed by $name"),
                'mend' => is_file("$directory/mended") || throw new RuntimeException('the warehouse is busy'),
                null => null,
            };
        }
        $line = json_encode([
            'listener' => $name,
            'name' => $event->getName(),
            'id' => $event->getId(),
            'attempt' => $event->getAttempt(),
            'last' => $event->isLastAttempt(),
            'pid' => getmypid(),
            'class' => get_class($event),
            'began' => $started,
            'ended' => microtime(true),
            'params' => $params,
        ], JSON_PRESERVE_ZERO_FRACTION);
        file_put_contents("$directory/handled", $line . "\n", FILE_APPEND);
    };
};

$listeners = ['one' => ['event' => 'one', 'listener' => $listener('one')]];
foreach (['a' => 5, 'b' => 4, 'c' => 3, 'd' => 2, 'e' => 1] as $name => $priority) {
    $listeners[$name] = ['event' => 'five', 'listener' => $listener($name), 'priority' => $priority];
}

// One with a policy of its own, and one that is told of deaths where that is asked for.
$listeners['brief'] = ['event' => 'brief', 'listener' => $listener('brief'), 'retry' => ['max_attempts' => 2, 'delay' => 0.05]];
if (file_exists("$directory/herald")) {
    $listeners['herald'] = ['event' => 'proletarier.dead', 'listener' => $listener('herald')];
}

// A handler that triggers events itself; the client was made before the fork.
$client = new Proletarier\Client(null, ['runtime_dir' => "$directory/run", 'timeout' => 5]);
$listeners['chain'] = ['event' => 'chain', 'listener' => static function ($event) use ($client): void {
    foreach (range(1, $event->getParam('links')) as $link) {
        $client->trigger('one', ['link' => $link]);
    }
}];

// One that triggers an event when there is a file `<directory>/go`, and one that comes after it.
$spooling = new Proletarier\Client(null, ['state_dir' => "$directory/state", 'runtime_dir' => "$directory/run"]);
$listeners['held'] = ['event' => 'held', 'priority' => 2, 'listener' => static function () use ($spooling, $directory): void {
    while (!is_file("$directory/go")) {
        usleep(1_000);
    }
    $spooling->trigger('one', ['from' => 'held']);
}];
$listeners['next'] = ['event' => 'held', 'priority' => 1, 'listener' => $listener('next')];

exit(\proletarier_run($listeners, json_decode($options, true)));
