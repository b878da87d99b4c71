<?php

declare(strict_types=1);

namespace Proletarier\Tests\System;

use PHPUnit\Framework\TestCase;
use Proletarier\Tests\Daemon;
use Proletarier\Tests\FastCgi;
use Proletarier\Tests\Fpm;

/**
 * Pages under php-fpm trigger events; children come and go, and so does the daemon.
 */
final class FpmTest extends TestCase
{
    private const REQUESTS = 5000;

    private ?Fpm $fpm = null;
    private Daemon $daemon;

    protected function setUp(): void
    {
        $this->daemon = (new Daemon(['worker' => ['pool_size' => 2], 'store' => '%dir%/store', 'client' => ['spool' => '%dir%/spool']]))->start();
    }

    protected function tearDown(): void
    {
        $this->fpm?->stop();
    }

    public function testEachOfFiveThousandPagesHasItsEventAcrossAReload(): void
    {
        $this->fpm = $this->fpm();
        $browsers = $this->browse(self::REQUESTS);
        Daemon::await(fn (): bool => count($this->pages()) > self::REQUESTS / 2, fn (): string => 'pages: ' . $this->fpm->said(), 60);
        $this->fpm->signal(SIGUSR2);
        $this->awaitEnd($browsers);
        $handled = array_column($this->daemon->awaitHandled(self::REQUESTS, 60), 'id');
        $triggered = array_column($this->pages(), 0);
        self::assertCount(self::REQUESTS, array_unique($triggered));
        // A page whose answer the reload cut off was asked for again: its event is one more, and still one.
        self::assertSame([], array_diff($triggered, $handled));
        self::assertSame($handled, array_unique($handled));
        self::assertLessThanOrEqual(self::REQUESTS + 4, count($handled));
    }

    public function testNoChildHangsAtItsEndWhileTheDaemonIsDown(): void
    {
        $this->daemon->signal(SIGTERM);
        $this->daemon->status();
        $this->fpm = $this->fpm();
        $began = microtime(true);
        self::assertNotNull(FastCgi::get($this->fpm->socket, $this->fpm->page));
        self::assertLessThan(0.2, microtime(true) - $began, 'the visitor does not wait for a daemon that is down');
        $this->fpm->signal(SIGQUIT);
        $this->fpm->awaitEnd(9);
        self::assertStringContainsString('"name":"one"', $this->fpm->said(), 'the event that nobody took is in the error log');
    }

    public function testADaemonThatGoesAndComesBackIsNotNoticedAndEveryEventArrives(): void
    {
        $this->fpm = $this->fpm(['spool' => "{$this->daemon->directory}/spool"]);
        $this->awaitEnd($this->browse(1000));
        $before = $this->pages();
        $browsers = $this->browse(3000);
        Daemon::await(fn (): bool => count($this->pages()) > 1300, fn (): string => 'pages: ' . $this->fpm->said());
        $this->daemon->signal(SIGTERM);
        $this->daemon->status();
        $down = count($this->pages());
        Daemon::await(fn (): bool => count($this->pages()) > $down + 1000, fn (): string => 'pages: ' . $this->fpm->said());
        $meanwhile = array_slice($this->pages(), $down, 1000);
        $this->daemon->start();
        $this->awaitEnd($browsers);
        $ids = array_column($this->pages(), 0);
        self::assertCount(4000, array_unique($ids));
        Daemon::await(fn (): bool => array_diff($ids, array_column($this->daemon->handled(), 'id')) === [], fn (): string => 'each event: ' . $this->daemon->log(), 60);
        self::assertStringNotContainsString('"proletarier":"lost"', $this->fpm->said());
        $rise = self::percentile($meanwhile, 0.95) - self::percentile($before, 0.95);
        // 2 ms on a machine that has nothing else to do (docs/architecture.md); a wait would be 250.
        self::assertLessThan(0.05, $rise, 'requests wait for a daemon that is down');
    }

    /** @param array<string, mixed> $options */
    private function fpm(array $options = []): Fpm
    {
        $options += ['runtime_dir' => "{$this->daemon->directory}/run"];
        $code = sprintf('$client = new Proletarier\Client(null, %s); echo $client->trigger("one", ["page" => getmypid()]);', var_export($options, true));

        return new Fpm($this->daemon->directory, $code);
    }

    /**
     * Four at a time, as many as there are children, ask for so many pages, and note each one's event and time.
     *
     * @return list<resource>
     */
    private function browse(int $pages): array
    {
        $code = sprintf(
            'foreach (range(1, %d) as $n) { $id = null; $began = microtime(true);'
            . ' while ($id === null) { $id = Proletarier\Tests\FastCgi::get(%s, %s); }'
            . ' file_put_contents(%s, $id . " " . (microtime(true) - $began) . "\n", FILE_APPEND); }',
            $pages / 4,
            var_export($this->fpm->socket, true),
            var_export($this->fpm->page, true),
            var_export("{$this->daemon->directory}/pages", true),
        );

        return array_map(fn (): mixed => $this->daemon->clientProcess($code), range(1, 4));
    }

    /** @param list<resource> $browsers */
    private function awaitEnd(array $browsers): void
    {
        foreach ($browsers as $browser) {
            self::assertSame(0, proc_close($browser), $this->daemon->said());
        }
    }

    /** @return list<array{string, string}> each page's event, and the seconds that it took */
    private function pages(): array
    {
        $lines = @file("{$this->daemon->directory}/pages", FILE_IGNORE_NEW_LINES) ?: [];

        return array_map(static fn (string $line): array => explode(' ', $line) + ['', '0'], $lines);
    }

    /** @param list<array{string, string}> $pages */
    private static function percentile(array $pages, float $part): float
    {
        $times = array_map(floatval(...), array_column($pages, 1));
        sort($times);

        return $times[(int) ($part * (count($times) - 1))];
    }
}
