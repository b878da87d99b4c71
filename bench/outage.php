<?php

/**
 * Takes the daemon away from a php-fpm under load, and gives it back: what each request cost meanwhile, and whether each event was handled once.
 *
 *     php -d extension=<extension.so> bench/outage.php [seconds up] [seconds down] [requests a second]
 *
 * Requests come from four browsers, to four children. Those in the half second after the daemon was stopped are counted apart: in it the first
 * event waits in vain.
 */

declare(strict_types=1);

use Proletarier\Tests\Daemon;
use Proletarier\Tests\Fpm;

require dirname(__DIR__) . '/tests/bootstrap.php';

const BROWSERS = 4;
const FIRST_WAIT = 0.5;

[$up, $down, $rate] = [(float) ($argv[1] ?? 20), (float) ($argv[2] ?? 60), (float) ($argv[3] ?? 400)];

$daemon = (new Daemon(['worker' => ['pool_size' => 2], 'store' => '%dir%/store', 'client' => ['spool' => '%dir%/spool']]))->start();
$directory = $daemon->directory;
$options = var_export(['runtime_dir' => "$directory/run", 'spool' => "$directory/spool"], true);
$fpm = new Fpm($directory, "\$client = new Proletarier\\Client(null, $options); echo \$client->trigger('one', ['page' => getmypid()]);", BROWSERS);

// Each asks at its times, however long the one before took, until it is told to stop, and notes when, how long, and which event.
$browse = sprintf(
    '$every = %f; $pages = fopen(%s . getmypid(), "w"); for ($next = microtime(true); !is_file(%s); $next += $every) {'
    . ' if (($early = $next - microtime(true)) > 0) { usleep((int) ($early * 1e6)); }'
    . ' $began = microtime(true); $id = Proletarier\Tests\FastCgi::get(%s, %s);'
    . ' fwrite($pages, "$began " . (microtime(true) - $began) . " $id\n"); }',
    BROWSERS / $rate,
    var_export("$directory/pages-", true),
    var_export("$directory/stop", true),
    var_export($fpm->socket, true),
    var_export($fpm->page, true),
);
$wait = static fn (float $seconds) => usleep((int) ($seconds * 1e6));
$browsers = array_map(static fn () => $daemon->clientProcess($browse), range(1, BROWSERS));
$wait(2);
$times = ['before' => microtime(true)];
$wait($up);
$times['daemon stops'] = microtime(true);
$daemon->signal(SIGTERM);
$times['daemon down'] = $times['daemon stops'] + FIRST_WAIT;
$daemon->status();
$wait($down - microtime(true) + $times['daemon stops']);
$times['daemon starts'] = microtime(true);
$daemon->start();
$times['daemon up again'] = microtime(true);
$wait($up);
$end = microtime(true);
touch("$directory/stop");
array_map(proc_close(...), $browsers);

$requests = [];
foreach (glob("$directory/pages-*") as $pages) {
    foreach (file($pages, FILE_IGNORE_NEW_LINES) as $line) {
        $requests[] = explode(' ', $line);
    }
}
$ids = array_column($requests, 2);
$unanswered = count($ids) - count(array_filter($ids));
try {
    Daemon::await(static fn (): bool => array_diff(array_filter($ids), array_column($daemon->handled(), 'id')) === [], static fn () => 'all events', 60);
} catch (RuntimeException $late) {
    echo $late->getMessage(), "\n";
}
$handled = array_column($daemon->handled(), 'id');
$fpm->stop();

foreach ($times as $phase => $from) {
    $until = next($times) ?: $end;
    $took = array_map(
        static fn (array $request): float => 1000 * (float) $request[1],
        array_values(array_filter($requests, static fn (array $request): bool => $request[0] >= $from && $request[0] < $until)),
    );
    sort($took);
    $at = static fn (float $part): float => $took[(int) ($part * (count($took) - 1))] ?? NAN;
    printf("%-16s %6d requests  p50 %6.2f ms  p99 %6.2f ms  longest %7.2f ms\n", $phase, count($took), $at(0.5), $at(0.99), $at(1));
}
printf(
    "%d events: %d handled, %d of them missing, %d more than once; %d requests without an answer\n",
    count($ids) - $unanswered,
    count(array_unique($handled)),
    count(array_diff(array_filter($ids), $handled)),
    count($handled) - count(array_unique($handled)),
    $unanswered,
);
exit($unanswered === 0 && array_diff($ids, $handled) === [] && count($handled) === count(array_unique($handled)) ? 0 : 1);
