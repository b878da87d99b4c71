<?php

declare(strict_types=1);

namespace Proletarier\Tests\System;

use PHPUnit\Framework\TestCase;
use Proletarier\Tests\Daemon;
use Proletarier\Tests\FastCgi;
use Proletarier\Tests\LoadedExtension;

/**
 * Pages under php-fpm trigger events; children come and go.
 */
final class FpmTest extends TestCase
{
    private const REQUESTS = 5000;

    /** @var resource */
    private $fpm;
    private Daemon $daemon;

    protected function setUp(): void
    {
        $binary = sprintf('/usr/sbin/php-fpm%d.%d', PHP_MAJOR_VERSION, PHP_MINOR_VERSION);
        self::assertTrue(is_executable($binary), 'php-fpm of this PHP is needed');
        $this->daemon = (new Daemon(['worker' => ['pool_size' => 2]]))->start();
        $directory = $this->daemon->directory;
        $user = posix_getpwuid(posix_geteuid())['name'];
        file_put_contents("$directory/fpm.conf", <<<INI
            [global]
            error_log = $directory/fpm.log
            pid = $directory/fpm.pid
            process_control_timeout = 10s
            daemonize = no
            [www]
            user = $user
            listen = $directory/fpm.sock
            listen.backlog = 511
            pm = static
            pm.max_children = 4
            pm.max_requests = 500
            catch_workers_output = yes
            INI);
        file_put_contents("$directory/page.php", sprintf(<<<'PHP'
            <?php
            $client = new Proletarier\Client(null, ['runtime_dir' => %s]);
            echo $client->trigger('one', ['page' => getmypid()]);
            PHP, var_export("$directory/run", true)));
        $this->fpm = proc_open(
            [$binary, '-n', '-R', '-y', "$directory/fpm.conf", '-d', 'extension=' . LoadedExtension::file(), '-F'],
            [['file', '/dev/null', 'r'], ['file', "$directory/fpm.out", 'a'], ['file', "$directory/fpm.out", 'a']],
            $pipes,
        );
        Daemon::await(static fn (): bool => file_exists("$directory/fpm.sock"), fn (): string => 'php-fpm: ' . $this->fpmSaid());
    }

    protected function tearDown(): void
    {
        if (is_resource($this->fpm)) {
            // Not by force: php-fpm's children would outlive it.
            proc_terminate($this->fpm, SIGTERM);
            Daemon::await(fn (): bool => !proc_get_status($this->fpm)['running'], fn (): string => 'the end of php-fpm: ' . $this->fpmSaid());
            proc_close($this->fpm);
        }
    }

    public function testEachOfFiveThousandPagesHasItsEventAcrossAReload(): void
    {
        $directory = $this->daemon->directory;
        // Four at a time: as many as there are children.
        $code = sprintf(
            'foreach (range(1, %d) as $n) { $id = null; while ($id === null) { $id = Proletarier\Tests\FastCgi::get(%s, %s); }'
            . ' file_put_contents(%s, "$id\n", FILE_APPEND); }',
            self::REQUESTS / 4,
            var_export("$directory/fpm.sock", true),
            var_export("$directory/page.php", true),
            var_export("$directory/pages", true),
        );
        $browsers = array_map(fn (): mixed => $this->daemon->clientProcess($code), range(1, 4));
        $pages = static fn (): array => file("$directory/pages", FILE_IGNORE_NEW_LINES) ?: [];
        Daemon::await(static fn (): bool => is_file("$directory/pages") && count($pages()) > self::REQUESTS / 2, fn (): string => 'pages: ' . $this->fpmSaid(), 60);
        posix_kill((int) file_get_contents("$directory/fpm.pid"), SIGUSR2);
        foreach ($browsers as $browser) {
            self::assertSame(0, proc_close($browser), $this->daemon->said());
        }
        $handled = array_column($this->daemon->awaitHandled(self::REQUESTS, 60), 'id');
        $triggered = $pages();
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
        $directory = $this->daemon->directory;
        $began = microtime(true);
        self::assertNotNull(FastCgi::get("$directory/fpm.sock", "$directory/page.php"));
        self::assertLessThan(0.2, microtime(true) - $began, 'the visitor does not wait for a daemon that is down');
        posix_kill((int) file_get_contents("$directory/fpm.pid"), SIGQUIT);
        Daemon::await(fn (): bool => !proc_get_status($this->fpm)['running'], fn (): string => 'the end of php-fpm: ' . $this->fpmSaid(), 9);
        self::assertStringContainsString('"name":"one"', $this->fpmSaid(), 'the event that nobody took is in the error log');
    }

    private function fpmSaid(): string
    {
        $directory = $this->daemon->directory;

        return (string) @file_get_contents("$directory/fpm.out") . (string) @file_get_contents("$directory/fpm.log");
    }
}
