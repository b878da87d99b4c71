<?php

declare(strict_types=1);

namespace Proletarier\Tests\Extension;

use PHPUnit\Framework\TestCase;
use Proletarier\Exception\BrokerUnavailable;
use Proletarier\Exception\Configuration;
use Proletarier\Exception\InvalidArgument;
use Proletarier\Tests\LoadedExtension;
use Proletarier\Tests\PhpProcess;

/**
 * What proletarier_control() says where it gets no answer. With a daemon it is in the system tests.
 */
final class ControlTest extends TestCase
{
    private string $directory;

    protected function setUp(): void
    {
        $this->directory = sys_get_temp_dir() . '/proletarier-' . bin2hex(random_bytes(4));
        mkdir($this->directory, 0700);
    }

    protected function tearDown(): void
    {
        exec('rm -rf ' . escapeshellarg($this->directory));
    }

    public function wrong(): iterable
    {
        $status = ['command' => 'status'];
        yield 'a setting' => [[$status, ['state_dir' => '/srv', 'worker' => ['pool_sise' => 5]]], Configuration::class, 'worker.pool_sise: unknown key'];
        yield 'no directory' => [[$status], Configuration::class, 'runtime_dir'];
        foreach ([0, -1, 'x', INF] as $timeout) {
            yield [[$status, ['timeout' => $timeout]], Configuration::class, 'timeout: '];
        }
        yield 'no JSON' => [[['command' => "\xff"]], InvalidArgument::class, "the request can't be said as JSON"];
        yield 'too deep' => [[json_decode(str_repeat('[', 200) . str_repeat(']', 200))], InvalidArgument::class, "the request can't be said as JSON"];
        yield 'none' => [[], \ArgumentCountError::class, 'proletarier_control() expects at least 1 argument, 0 given'];
        yield 'a string' => [['status'], \TypeError::class, 'proletarier_control(): Argument #1 ($request) must be of type array, string given'];
        yield 'a number' => [[$status, 5], \TypeError::class, 'proletarier_control(): Argument #2 ($options) must be of type array, int given'];
    }

    /**
     * @dataProvider wrong
     */
    public function testNamesWhatIsWrong(array $arguments, string $class, string $message): void
    {
        if (isset($arguments[0]) && $class !== Configuration::class && is_array($arguments[0]) && !isset($arguments[1])) {
            $arguments[1] = ['runtime_dir' => $this->directory];
        }
        $this->expectException($class);
        $this->expectExceptionMessage($message);
        \proletarier_control(...$arguments);
    }

    public function testNobodyListens(): void
    {
        $this->expectException(BrokerUnavailable::class);
        $this->expectExceptionMessage("no daemon answers at ipc://$this->directory/control.sock: is it running (proletarier run)?");
        \proletarier_control(['command' => 'status'], ['runtime_dir' => $this->directory, 'timeout' => 0.05]);
    }

    public function testSomebodyIsSilent(): void
    {
        $socket = stream_socket_server("unix://$this->directory/control.sock");
        self::assertNotFalse($socket);
        $this->expectException(BrokerUnavailable::class);
        $this->expectExceptionMessage("no daemon answered at ipc://$this->directory/control.sock within 0.1 s");
        \proletarier_control(['command' => 'status'], ['runtime_dir' => $this->directory, 'timeout' => 0.1]);
    }

    public function testAnotherUserIsToldWhoMay(): void
    {
        if (posix_geteuid() !== 0) {
            self::markTestSkipped('only root can become another user');
        }
        mkdir("$this->directory/run", 0755);
        $socket = stream_socket_server("unix://$this->directory/run/control.sock");
        self::assertNotFalse($socket);
        $asked = fn (): PhpProcess => PhpProcess::run(['-d', 'extension=' . LoadedExtension::file(), '-r', sprintf(
            'posix_setuid(posix_getpwnam("nobody")["uid"]);'
            . 'try { proletarier_control(["command" => "status"], ["runtime_dir" => %s]); }'
            . 'catch (Proletarier\Exception\BrokerUnavailable $error) { echo $error->getMessage(); }',
            var_export("$this->directory/run", true),
        )]);
        $advice = "which is root's: run this as root, or set permissions.group to a group that both are in";

        // The directory hides the socket, which then can't even be looked at.
        self::assertSame("nobody may not use $this->directory, $advice", $asked()->output);
        chmod($this->directory, 0755);
        chmod("$this->directory/run/control.sock", 0600);
        self::assertSame("nobody may not use $this->directory/run/control.sock, $advice", $asked()->output);
    }
}
