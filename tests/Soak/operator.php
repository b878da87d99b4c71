<?php

/**
 * An operator: `php operator.php <directory> <seed> <until>`. Discards, replays and cancels one thing at a time, and writes down what the daemon
 * said that it did: the verb ('maybe-' before it where no answer came), the event, its listeners ('*' for all that it has).
 */

declare(strict_types=1);

use Proletarier\Tests\Soak\Dice;
use Proletarier\Tests\Soak\Site;

require dirname(__DIR__) . '/bootstrap.php';

[, $directory, $seed, $until] = $argv;
$site = new Site($directory, $seed);
$dice = new Dice("$seed operator");
$ask = static fn (array $request): array => \proletarier_control($request, ['timeout' => 2] + $site->paths());

$do = static function (string $list, string $command, string $verb, callable $fits) use ($site, $dice, $ask): void {
    $page = $ask(['command' => $list, 'after' => 0, 'limit' => 50, 'params' => true]);
    $found = array_values(array_filter($page['letters'] ?? $page['events'] ?? [], $fits));
    if ($found === []) {
        return;
    }
    $entry = $dice->pick($found);
    $names = array_map(static fn (string $id): string => substr($id, strpos($id, '/') + 1), $entry['listeners'] ?? []);
    $what = [$entry['params']['ref'], $names === [] ? '*' : implode(',', $names)];
    try {
        $done = $ask(['command' => $command, 'cursors' => [$entry['cursor']]])['done'];
    } catch (Proletarier\Exception\BrokerUnavailable) {
        $site->note('operated', "maybe-$verb", ...$what);

        return;
    }
    if ($done > 0) {
        $site->note('operated', $verb, ...$what);
    }
};

$is_delayed = static fn (array $event): bool => $event['state'] === 'delayed';
while (microtime(true) < (float) $until) {
    try {
        match ((int) $dice->between(0, 3)) {
            0 => $do('failed', 'failed_discard', 'discarded', static fn (): bool => true),
            1 => $do('failed', 'failed_replay', 'replayed', static fn (): bool => true),
            2 => $do('waiting', 'waiting_cancel', 'cancelled', $is_delayed),
        };
    } catch (Proletarier\Exception\BrokerUnavailable) {
        // No daemon, now.
    }
    usleep((int) (1e6 * $dice->between(0.2, 0.8)));
}
