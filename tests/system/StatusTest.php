<?php

declare(strict_types=1);

namespace Proletarier\Tests\System;

use PHPUnit\Framework\TestCase;
use Proletarier\Tests\Daemon;

/**
 * The commands `status`, `queues`, `reload` and `stop`, on a whole daemon.
 */
final class StatusTest extends TestCase
{
    private Daemon $daemon;

    protected function setUp(): void
    {
        $this->daemon = (new Daemon(['worker' => ['pool_size' => 2], 'store' => '%dir%/store', 'client' => ['spool' => '%dir%/spool']]))->start();
        file_put_contents($this->daemon->directory . '/config.php', sprintf('<?php return ["proletarier" => %s];', var_export([
            'runtime_dir' => $this->daemon->directory . '/run',
            'store' => $this->daemon->directory . '/store',
            'client' => ['spool' => $this->daemon->directory . '/spool'],
        ], true)));
    }

    protected function tearDown(): void
    {
        $this->daemon->stop();
    }

    /** @return array{int, string, string} status, stdout, stderr */
    private function command(string ...$arguments): array
    {
        $command = [PHP_BINARY, ...$this->daemon->arguments(), dirname(__DIR__, 2) . '/bin/proletarier', '-c', $this->daemon->directory . '/config.php', ...$arguments];
        $process = proc_open($command, [['file', '/dev/null', 'r'], ['pipe', 'w'], ['pipe', 'w']], $pipes);
        [$out, $err] = [stream_get_contents($pipes[1]), stream_get_contents($pipes[2])];

        return [proc_close($process), $out, $err];
    }

    public function testShowsWhatRunsAndWhatHasRun(): void
    {
        $client = $this->daemon->client();
        $client->trigger('one', ['n' => 1]);
        $client->trigger('one', ['sleep' => 4]);
        $running = null;
        Daemon::await(
            function () use (&$running): bool {
                $status = json_decode($this->command('status', '--json')[1], true);
                foreach ($status['processes'] as $process) {
                    if (isset($process['running']['listener']) && $process['running']['name'] === 'one') {
                        $running = $process;
                    }
                }

                return $running !== null && $status['queues'][0]['flow']['done'] === 1;
            },
            static fn (): string => 'a worker in the listener'
        );
        self::assertSame('running', $running['state']);
        self::assertGreaterThan(0, $running['memory']);
        self::assertGreaterThanOrEqual(0, $running['listener_seconds']);
        self::assertLessThan(20, $running['listener_seconds']);
        self::assertLessThanOrEqual($running['seconds'], $running['listener_seconds']);

        [$exit, $page, $errors] = $this->command('status');
        self::assertSame([0, ''], [$exit, $errors]);
        self::assertStringNotContainsString("\e", $page, 'plain where nobody looks');
        self::assertMatchesRegularExpression('/worker \d +\d+ +1 +[\d.]+ [kM]B +running +one \S+ for .+, in \S.* for /', $page);
        self::assertMatchesRegularExpression('/^default +/m', $page);
    }

    public function testIsAHealthCheck(): void
    {
        self::assertSame([0, '', ''], $this->command('status', '--quiet'));
        $this->daemon->stop();
        [$exit, $out, $errors] = $this->command('status', '--quiet');
        self::assertSame([1, ''], [$exit, $out]);
        self::assertStringContainsString('no daemon answers', $errors);
    }

    public function testStops(): void
    {
        self::assertSame([0, "The daemon has stopped.\n", ''], $this->command('stop', '--wait=20'));
        self::assertSame(0, $this->daemon->status());
        [$exit, , $errors] = $this->command('stop');
        self::assertSame(1, $exit);
        self::assertStringContainsString('no daemon answers', $errors);
    }
}
