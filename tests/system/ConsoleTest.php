<?php

declare(strict_types=1);

namespace Proletarier\Tests\System;

use PHPUnit\Framework\TestCase;
use Proletarier\Tests\Daemon;
use Proletarier\Tests\LoadedExtension;
use Proletarier\Tests\PhpProcess;

/**
 * The example application, as its user runs it: bin/proletarier and a configuration file.
 */
final class ConsoleTest extends TestCase
{
    private const ROOT = __DIR__ . '/../..';

    private string $directory;

    /** @var resource|null */
    private $process = null;

    protected function setUp(): void
    {
        // A copy, so that a demo under way beside the tests is not disturbed.
        $this->directory = sys_get_temp_dir() . '/proletarier-' . bin2hex(random_bytes(4));
        exec(sprintf('cp -r %s %s && rm -rf %2$s/data', escapeshellarg(self::ROOT . '/examples/app'), escapeshellarg($this->directory)));
    }

    protected function tearDown(): void
    {
        if ($this->process !== null) {
            proc_terminate($this->process, SIGKILL);
            proc_close($this->process);
        }
        exec('rm -rf ' . escapeshellarg($this->directory));
    }

    public function testRunTriggerAndStop(): void
    {
        $log = ['file', $this->directory . '/log', 'a'];
        $run = [PHP_BINARY, ...$this->console('run', '--workers=1')];
        $this->process = proc_open($run, [['file', '/dev/null', 'r'], $log, $log], $pipes);
        $this->awaitLog('the daemon is ready');

        $trigger = PhpProcess::run($this->console('trigger', 'report.asked', '{"title": "Zwölf"}'));
        self::assertSame(0, $trigger->status, $trigger->errors);
        $this->awaitLog('report: Zwölf is done');

        $wrong = PhpProcess::run($this->console('trigger', 'report.asked', '{"title":'));
        self::assertNotSame(0, $wrong->status);
        self::assertStringContainsString('JSON', $wrong->errors . $wrong->output);

        posix_kill(proc_get_status($this->process)['pid'], SIGTERM);
        $status = [];
        Daemon::await(function () use (&$status): bool {
            $status = proc_get_status($this->process);

            return !$status['running'];
        }, fn (): string => 'the end: ' . $this->log());
        self::assertSame(0, $status['exitcode'], $this->log());
    }

    public function testAnApplicationTriggersByItsOwnClient(): void
    {
        $log = ['file', $this->directory . '/log', 'a'];
        $this->process = proc_open([PHP_BINARY, ...$this->console('run')], [['file', '/dev/null', 'r'], $log, $log], $pipes);
        $this->awaitLog('the daemon is ready');
        // The example is in its place, but for its data.
        $trigger = PhpProcess::run($this->console('trigger', 'order.placed', '{"customer": "ada@example.org", "article": "Apfel", "quantity": 1}'));
        self::assertSame(0, $trigger->status, $trigger->errors);
        $this->awaitLog('mail to ada@example.org');
        // The warehouse is busy at the first attempt: one listener is tried again, the mail is not sent twice.
        $this->awaitLog('the warehouse is busy');
        $this->awaitLog('1 x Apfel');
        self::assertSame(1, substr_count($this->log(), 'mail to ada@example.org'));
        posix_kill(proc_get_status($this->process)['pid'], SIGTERM);
        Daemon::await(fn (): bool => !proc_get_status($this->process)['running'], fn (): string => 'the end: ' . $this->log());
    }

    /** @return list<string> */
    private function console(string ...$arguments): array
    {
        $console = realpath(self::ROOT . '/bin/proletarier');

        return ['-d', 'extension=' . LoadedExtension::file(), $console, ...$arguments, '--config=' . $this->directory . '/config.php'];
    }

    private function awaitLog(string $words): void
    {
        Daemon::await(fn (): bool => str_contains($this->log(), $words), fn (): string => "\"$words\" in " . $this->log());
    }

    private function log(): string
    {
        return (string) @file_get_contents($this->directory . '/log');
    }
}
