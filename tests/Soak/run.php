<?php

/**
 * The kill soak: `php -d extension=... tests/Soak/run.php --seconds=60 --rate=1000 [--seed=...] [--fury=1] [--keep]`. See docs/soak.md.
 *
 * Exit status 0 where the account holds; else 1, and all files are kept.
 */

declare(strict_types=1);

use Proletarier\Tests\Soak\Account;
use Proletarier\Tests\Soak\Deed;
use Proletarier\Tests\Soak\Duplicates;
use Proletarier\Tests\Soak\Fleet;
use Proletarier\Tests\Soak\Order;
use Proletarier\Tests\Soak\Plan;
use Proletarier\Tests\Soak\Report;
use Proletarier\Tests\Soak\Site;
use Proletarier\Tests\Soak\Target;

require dirname(__DIR__) . '/bootstrap.php';

ini_set('memory_limit', '-1');
$options = getopt('', ['seconds:', 'rate:', 'seed:', 'fury:', 'keep']);
$seconds = (float) ($options['seconds'] ?? 60);
$rate = (float) ($options['rate'] ?? 1000);
$fury = (float) ($options['fury'] ?? 1);
$seed = ($options['seed'] ?? '') ?: bin2hex(random_bytes(4));

/** Until all is drained, at the end. */
const DRAIN = 180.0;

$site = Site::make($seed);
echo "kill soak: $seconds s, $rate events/s, SEED=$seed, FURY=$fury, in $site->directory\n";
$target = new Target($site);
$wrong = [];
try {
    $target->start();
    $target->awaitReady();

    $began = microtime(true);
    $plan = new Plan($seconds, $seed, $fury);
    $fleet = new Fleet($site, $rate, $began + $seconds);
    $operator = $site->start('operator.php', 'operator.log', [(string) ($began + $seconds)]);
    for ($passed = 0.0; $passed < $seconds || !$fleet->isEmpty(); $passed = microtime(true) - $began) {
        $target->tick();
        $fleet->tick();
        while ($passed < $seconds && [$deed, $draw] = $plan->due($passed)) {
            $pids = $deed === Deed::KillProducer ? $fleet->kill($draw) : $target->do($deed, $draw);
            if ($pids === []) {
                $plan->postpone($passed, $deed, $draw);
            } else {
                $target->note($deed, ...$pids);
            }
        }
        usleep(5_000);
    }
    $produced = microtime(true) - $began;
    proc_close($operator);

    // A start that nothing disturbs, and all that is left.
    $target->awaitReady();
    $target->stop();
    $target->start();
    $target->awaitReady();
    $until = microtime(true) + DRAIN;
    for ($empty = 0; $empty < 3; usleep(100_000)) {
        $backlog = $target->status()['backlog'] ?? ['pending' => 1];
        $empty = ($backlog['pending'] ?? 0) + ($backlog['reserved'] ?? 0) + ($backlog['parked'] ?? 0) === 0 && $site->spoolIsEmpty() ? $empty + 1 : 0;
        if (microtime(true) > $until) {
            $wrong[] = 'not drained after ' . DRAIN . ' s: ' . json_encode($backlog) . ($site->spoolIsEmpty() ? '' : ', and events are in the spool');
            break;
        }
        $target->tick(true);
    }
    $drained = microtime(true) - $began - $produced;
    $letters = [];
    for ($after = 0; $after !== null; $after = $page['next']) {
        $page = \proletarier_control(['command' => 'failed', 'after' => $after, 'limit' => 1000, 'params' => true], ['timeout' => 10] + $site->paths());
        array_push($letters, ...$page['letters']);
    }
    $status = $target->stop();
    if ($status !== 0) {
        $wrong[] = "the daemon's last stop had status $status";
    }
} finally {
    $target->destroy();
}

$account = new Account($site);
$account->take($letters);
$duplicates = new Duplicates($site, $account);
$duplicates->explain();
$order = new Order($site, $letters);
$order->check();
$wrong = [...$wrong, ...Report::noticed($site), ...$account->wrong, ...$duplicates->wrong, ...$order->wrong];
Report::show($site, $account, $duplicates, $target, $fleet, $produced, $drained);
echo "events of a key, each begun after those before it: $order->count\n";
if ($wrong === []) {
    echo "the account holds\n";
    isset($options['keep']) ? print("files: $site->directory\n") : exec('rm -rf ' . escapeshellarg($site->directory));
    exit(0);
}
echo 'THE ACCOUNT DOES NOT HOLD: ' . count($wrong) . ' things are wrong' . (count($wrong) > 50 ? ', the first of which are' : '') . "\n  ";
echo implode("\n  ", array_slice($wrong, 0, 50)) . "\n";
echo "files: $site->directory\nagain: make soak SECONDS=$seconds RATE=$rate SEED=$seed FURY=$fury\n";
file_put_contents($site->file('wrong'), implode("\n", $wrong) . "\n");
exit(1);
