<?php

/**
 * A producer: `php producer.php <directory> <seed> <number> <confirm level> <events a second> <until>`. It ends by itself some seconds later.
 *
 * It writes to a file of its own: P who it is; I what it is about to trigger (name, and flags: x expires, u unique, k and its key); C what is certain; T that
 * trigger() returned, which is no certainty yet; K the event that is there in its place; X an exception; F that all before is certain; E its end.
 */

declare(strict_types=1);

use Proletarier\Client;
use Proletarier\Tests\Soak\Dice;
use Proletarier\Tests\Soak\Events;
use Proletarier\Tests\Soak\Site;

require dirname(__DIR__) . '/bootstrap.php';

[, $directory, $seed, $number, $level, $rate, $until] = $argv;
$site = new Site($directory, $seed);
$handle = fopen($site->file("produced/$number"), 'a');
$write = static function (string ...$words) use ($handle): void {
    fwrite($handle, implode(' ', $words) . "\n");
};
$dice = new Dice("$seed producer $number");
$end = min((float) $until, microtime(true) + $dice->between(3, 12));
$pause = 1 / (float) $rate;
$client = new Client(null, ['confirm' => $level] + $site->paths());
$waits = $level === 'accepted' || $level === 'synced';

$write('P', $number, $level, (string) getmypid());
$next = microtime(true);
for ($count = 1; microtime(true) < $end; $count++) {
    $ref = "$number-$count";
    $name = Events::name($dice);
    [$options, $flags] = [[], '-'];
    if ($waits && $dice->chance(0.03)) {
        [$options, $flags] = [['unique' => 'unique-' . (int) $dice->between(0, 20), 'id' => $ref], 'u'];
    } elseif ($dice->chance(0.04)) {
        [$options, $flags] = [['expires' => $dice->between(0.05, 2), 'id' => $ref], 'x'];
        if ($dice->chance(0.5)) {
            $options['delay'] = $dice->between(0, 2);
        }
    } elseif ($dice->chance(0.05)) {
        $options = ['delay' => $dice->between(0, 3)];
    } elseif ($dice->chance(0.05)) {
        $options = ['at' => new DateTimeImmutable(sprintf('@%.6F', microtime(true) + $dice->between(-0.5, 3)))];
    } elseif ($dice->chance(0.1)) {
        $options = ['id' => $ref];
    } elseif ($dice->chance(0.2)) {
        $key = (int) $dice->between(0, 50);
        [$options, $flags] = [['key' => "key-$key"], "k$key"];
    } elseif ($waits && $dice->chance(0.05)) {
        $options = ['spool' => false];
    }
    $write('I', $ref, $name, $flags);
    $spooled = $client->spooled();
    try {
        $id = $client->trigger($name, ['ref' => $ref], $options);
        match (true) {
            $flags === 'u' && $id !== $ref => $write('K', $ref, $id),
            $waits => $write('C', $ref, $client->spooled() > $spooled ? 's' : '-'),
            default => $write('T', $ref),
        };
    } catch (Proletarier\Exception\ExceptionInterface $exception) {
        $write('X', $ref, $exception::class, strtr($exception->getMessage(), "\n", ' '));
    }
    if ($level === 'deferred' && $count % 100 === 0 && $client->flush() === 0) {
        $write('F');
    }
    // Behind its time it catches up, within a second's worth.
    $next = max($next + $pause, microtime(true) - 1);
    $rest = $next - microtime(true);
    if ($rest > 0) {
        usleep((int) ($rest * 1e6));
    }
}
$write('E');
if ($dice->chance(0.3)) {
    exit(0);
}
