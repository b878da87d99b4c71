<?php

declare(strict_types=1);

namespace Proletarier\Tests\System;

use PHPUnit\Framework\TestCase;
use Proletarier\Tests\Daemon;

/**
 * Workers that are replaced while they work.
 */
final class RecyclingTest extends TestCase
{
    public function testAListenerHasItsWorkerReplacedAfterTheEvent(): void
    {
        $daemon = (new Daemon(['worker' => ['pool_size' => 2]]))->start();
        $daemon->client()->trigger('five', ['do' => ['b' => 'recycle']]);
        $handled = $daemon->awaitHandled(5, 10);
        self::assertSame(['a', 'b', 'c', 'd', 'e'], array_column($handled, 'listener'), 'the event is handled to its end');
        $pid = $handled[0]['pid'];
        $until = microtime(true) + 10;
        while (posix_kill($pid, 0) && microtime(true) < $until) {
            usleep(5_000);
        }
        self::assertFalse(posix_kill($pid, 0), $daemon->said());
        self::assertStringContainsString('"reason":"as asked"', $daemon->log());
        $daemon->client()->trigger('one', ['n' => 1]);
        self::assertNotSame($pid, $daemon->awaitHandled(6, 10)[5]['pid']);
    }

    public function testNothingIsLostWhileWorkersComeAndGo(): void
    {
        $daemon = (new Daemon(['worker' => ['pool_size' => 3, 'max_events' => 100]]))->start();
        $client = $daemon->client();
        foreach (range(1, 3_000) as $number) {
            // Long enough for a replacement to boot before all of it is over.
            $client->trigger('one', ['n' => $number, 'sleep' => 0.002]);
        }
        $handled = $daemon->awaitHandled(3_000, 30);
        self::assertCount(3_000, array_unique(array_column(array_column($handled, 'params'), 'n')));
        self::assertSame([1], array_values(array_unique(array_column($handled, 'attempt'))), 'replacing counts no attempt');
        self::assertGreaterThan(5, count(array_unique(array_column($handled, 'pid'))), 'workers came and went');
    }
}
