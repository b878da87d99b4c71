<?php

declare(strict_types=1);

namespace Proletarier\Tests\System;

use PHPUnit\Framework\TestCase;
use Proletarier\Tests\Daemon;
use Proletarier\Tests\LoadedExtension;
use Proletarier\Tests\PhpProcess;

/**
 * The daemon's processes: what is killed is replaced or ends whole, what is stopped finishes, and nothing is left.
 */
final class DaemonTest extends TestCase
{
    /** @return array<string, array{string}> */
    public static function replaced(): array
    {
        return ['the broker' => ['proletarier: broker'], 'the zygote' => ['proletarier: zygote'], 'a worker' => ['proletarier: worker']];
    }

    /** @dataProvider replaced */
    public function testWhatIsKilledUnderLoadIsReplaced(string $title): void
    {
        $daemon = (new Daemon(['worker' => ['pool_size' => 3], 'retry' => ['delay' => 0.05]]))->start();
        $code = 'foreach (range(1, 1500) as $n) { $client->trigger("one", ["n" => $n, "sleep" => 0.0005]); usleep(500); }';
        $client = $daemon->clientProcess($code);
        $daemon->awaitHandled(300);
        posix_kill($daemon->process($title), SIGKILL);
        self::assertSame(0, proc_close($client), $daemon->said());
        self::assertSame('', $daemon->said(), 'no event is given up: what was unconfirmed is sent again');
        $daemon->client()->trigger('one', ['n' => 'last'], ['confirm' => 'accepted']);
        Daemon::await(
            static fn (): bool => in_array('last', array_column(array_column($daemon->handled(), 'params'), 'n'), true),
            fn (): string => 'the last event: ' . $daemon->log(),
        );
        // A broker in memory takes along what waited in it; what else is killed takes nothing.
        $least = $title === 'proletarier: broker' ? 1000 : 1501;
        $daemon->awaitHandled($least);
        self::assertNoneRunsTwiceAtOnce($daemon->handled());
        $daemon->signal(SIGTERM);
        self::assertSame(0, $daemon->status());
        self::assertSame([], $daemon->processes());
    }

    public function testABrokerThatIsKilledWhileNothingHappensIsReplaced(): void
    {
        $daemon = (new Daemon(['worker' => ['pool_size' => 2]]))->start();
        $client = $daemon->client();
        $client->trigger('one', ['n' => 1], ['confirm' => 'accepted']);
        $daemon->awaitHandled(1);
        $killed = $daemon->process('proletarier: broker');
        posix_kill($killed, SIGKILL);
        $client->trigger('one', ['n' => 2], ['confirm' => 'accepted']);
        $daemon->awaitHandled(2);
        self::assertNotSame($killed, $daemon->process('proletarier: broker'));
    }

    public function testWhatABrokerHadNotConfirmedIsSentToTheNext(): void
    {
        $daemon = (new Daemon(['worker' => ['pool_size' => 2]]))->start();
        $client = $daemon->client();
        $client->trigger('one', ['n' => 0], ['confirm' => 'accepted']);
        $broker = $daemon->process('proletarier: broker');
        posix_kill($broker, SIGSTOP);
        foreach (range(1, 100) as $number) {
            $client->trigger('one', ['n' => $number]);
        }
        posix_kill($broker, SIGKILL);
        $numbers = array_column(array_column($daemon->awaitHandled(101), 'params'), 'n');
        sort($numbers);
        self::assertSame(range(0, 100), $numbers);
        self::assertSame(0, $client->flush(5));
    }

    public function testAHandlerThatGoesOnIsKilledWhenSupervisorAndZygoteWere(): void
    {
        $daemon = (new Daemon(['worker' => ['pool_size' => 1, 'grace' => 1]]))->start();
        $daemon->client()->trigger('one', ['sleep' => 30]);
        $daemon->workerOf('one');
        $zygote = $daemon->process('proletarier: zygote');
        $daemon->signal(SIGKILL);
        posix_kill($zygote, SIGKILL);
        Daemon::await(static fn (): bool => $daemon->processes() === [], fn (): string => 'the end of ' . implode(', ', $daemon->processes()), 8);
        self::assertSame([], $daemon->handled());
    }

    public function testASupervisorThatIsKilledTakesEverythingWithIt(): void
    {
        $daemon = (new Daemon(['worker' => ['pool_size' => 3, 'grace' => 3]]))->start();
        $daemon->client()->trigger('one', ['sleep' => 0.5]);
        $daemon->workerOf('one');
        $daemon->signal(SIGKILL);
        Daemon::await(static fn (): bool => $daemon->processes() === [], fn (): string => 'the end of ' . implode(', ', $daemon->processes()), 8);
        self::assertCount(1, $daemon->handled(), 'what ran has finished');
    }

    public function testAStoppedDaemonFinishesWhatRunsAndLeavesNothing(): void
    {
        $daemon = (new Daemon(['worker' => ['pool_size' => 2]]))->start();
        $daemon->client()->trigger('one', ['sleep' => 1]);
        $daemon->workerOf('one');
        $daemon->signal(SIGTERM);
        self::assertSame(0, $daemon->status());
        self::assertCount(1, $daemon->handled());
        self::assertSame([], $daemon->processes());
        self::assertSame(['lock', 'scoreboard'], array_values(array_diff(scandir($daemon->directory . '/run'), ['.', '..'])));
    }

    public function testASecondSignalKills(): void
    {
        $daemon = (new Daemon(['worker' => ['pool_size' => 1]]))->start();
        $daemon->client()->trigger('one', ['sleep' => 30]);
        $daemon->workerOf('one');
        $began = microtime(true);
        $daemon->signal(SIGINT);
        Daemon::await(static fn (): bool => str_contains($daemon->log(), 'the daemon stops'), fn (): string => $daemon->log());
        $daemon->signal(SIGINT);
        self::assertSame(1, $daemon->status());
        self::assertLessThan(10, microtime(true) - $began);
        Daemon::await(static fn (): bool => $daemon->processes() === [], fn (): string => 'the end of ' . implode(', ', $daemon->processes()));
    }

    public function testAnApplicationThatCannotBootStopsTheDaemonWithItsError(): void
    {
        $application = tempnam(sys_get_temp_dir(), 'boot');
        file_put_contents($application, '<?php
            $events = static function (string $name): void {
                if ($name === "worker.launch") { throw new LogicException("no database here"); }
            };
            exit(proletarier_run([["one", "strlen"]], ["events" => $events] + json_decode($argv[2], true)));');
        $daemon = (new Daemon([], $application))->launch();
        self::assertSame(1, $daemon->status());
        self::assertStringContainsString('no database here', $daemon->log());
        self::assertSame(1, substr_count($daemon->log(), 'could not boot'), 'one error: it does not spin');
        unlink($application);
    }

    public function testTheSecondDaemonSaysWhoHoldsTheDirectory(): void
    {
        $daemon = (new Daemon())->start();
        $code = sprintf('proletarier_run([["one", "strlen"]], ["runtime_dir" => %s]);', var_export($daemon->directory . '/run', true));
        $second = PhpProcess::run(['-d', 'extension=' . LoadedExtension::file(), '-r', $code]);
        self::assertStringContainsString('Proletarier\Exception\AlreadyRunning', $second->errors);
        self::assertStringContainsString("as process {$daemon->pid()}", $second->errors);
        self::assertNotSame(0, $second->status);
    }

    public function testAConnectionThatBootstrapOpenedIsWarnedOf(): void
    {
        $server = stream_socket_server('tcp://127.0.0.1:0');
        $address = stream_socket_get_name($server, false);
        $application = tempnam(sys_get_temp_dir(), 'boot');
        file_put_contents($application, sprintf('<?php
            $database = stream_socket_client("tcp://%s");
            exit(proletarier_run([["one", "strlen"]], json_decode($argv[2], true)));', $address));
        $daemon = (new Daemon([], $application))->start();
        self::assertStringContainsString("\"peer\":\"$address\"", $daemon->log());
        unlink($application);
    }

    public function testAnIdleDaemonUsesNoProcessorAndLittleMemory(): void
    {
        $daemon = (new Daemon(['worker' => ['pool_size' => 3]]))->start();
        $daemon->client()->trigger('one', [], ['confirm' => 'accepted']);
        $daemon->awaitHandled(1);
        $spent = static function () use ($daemon): int {
            $ticks = 0;
            foreach (array_keys($daemon->processes()) as $pid) {
                $fields = explode(' ', substr(strrchr(file_get_contents("/proc/$pid/stat"), ')'), 2));
                $ticks += (int) $fields[11] + (int) $fields[12];
            }

            return $ticks;
        };
        $before = $spent();
        // The one thing that only time can show.
        usleep(2_000_000);
        self::assertLessThanOrEqual(1, $spent() - $before, 'hundredths of a second of processor time in two');
        foreach ($daemon->processes() as $pid => $title) {
            if (str_starts_with($title, 'proletarier: worker')) {
                preg_match_all('/^Private_(?:Clean|Dirty): +(\d+) kB/m', file_get_contents("/proc/$pid/smaps_rollup"), $private);
                self::assertLessThan(4096, array_sum($private[1]), "$title: private memory in kB");
            }
        }
    }

    /** @param list<array<string, mixed>> $handled */
    private static function assertNoneRunsTwiceAtOnce(array $handled): void
    {
        $runs = [];
        foreach ($handled as $line) {
            foreach ($runs[$line['id']] ?? [] as [$began, $ended]) {
                self::assertTrue($line['began'] >= $ended || $line['ended'] <= $began, "event {$line['id']} ran twice at once");
            }
            $runs[$line['id']][] = [$line['began'], $line['ended']];
        }
    }
}
