<?php

declare(strict_types=1);

namespace Proletarier\Tests\Extension;

use PHPUnit\Framework\TestCase;
use Proletarier\Client;
use Proletarier\Exception\BrokerUnavailable;
use Proletarier\Exception\Configuration;
use Proletarier\Exception\InvalidArgument;
use Proletarier\Tests\Fixture\Serializable;
use Proletarier\Tests\LoadedExtension;
use Proletarier\Tests\PhpProcess;

/**
 * The native client, with no broker anywhere: its checks, and what it does then.
 */
final class TriggerTest extends TestCase
{
    private const NOWHERE = 'ipc:///tmp/proletarier-nowhere.sock';

    private const UUID7 = '/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/';

    private static string $spool;

    public static function setUpBeforeClass(): void
    {
        self::$spool = sys_get_temp_dir() . '/proletarier-' . bin2hex(random_bytes(4));
    }

    public static function tearDownAfterClass(): void
    {
        exec('rm -rf ' . escapeshellarg(self::$spool));
    }

    /**
     * @return array<string, array{\Closure, class-string|null, string}>
     */
    public function cases(): array
    {
        return require dirname(__DIR__) . '/bad_input.php';
    }

    /**
     * @dataProvider cases
     */
    public function testChecksAsTheDoublesDo(\Closure $trigger, ?string $exception, string $message): void
    {
        // What is asked to be accepted goes to the spool.
        $client = new Client(self::NOWHERE, ['confirm' => 'none', 'spool' => self::$spool, 'timeout' => 0.01]);
        $thrown = null;
        try {
            $id = $trigger($client);
            self::assertMatchesRegularExpression('/^[A-Za-z0-9._:-]{1,64}$/', $id);
        } catch (\Throwable $thrown) {
        }

        self::assertSame([$exception, $message], [$thrown === null ? null : $thrown::class, $thrown?->getMessage() ?? '']);
    }

    public function testIdsAreUuidsInOrder(): void
    {
        $client = new Client(self::NOWHERE, ['confirm' => 'none']);
        $ids = array_map(static fn () => $client->trigger('x'), range(1, 100));

        foreach ($ids as $id) {
            self::assertMatchesRegularExpression(self::UUID7, $id);
        }
        self::assertCount(100, array_unique($ids));
        self::assertSame('mine', $client->trigger('x', [], ['id' => 'mine']));
    }

    public function testEncodingMayTriggerToo(): void
    {
        $client = new Client(self::NOWHERE, ['confirm' => 'none']);
        $nested = new class ($client) implements \JsonSerializable {
            public function __construct(private Client $client)
            {
            }

            public function jsonSerialize(): string
            {
                return $this->client->trigger('nested', ['a' => str_repeat('x', 1000)]);
            }
        };

        self::assertMatchesRegularExpression(self::UUID7, $client->trigger('x', ['nested' => [$nested, $nested]]));
    }

    public function testWhatTheApplicationsCodeThrowsIsItsOwn(): void
    {
        $thrower = new class () implements \JsonSerializable {
            public function jsonSerialize(): never
            {
                throw new \DomainException('mine');
            }
        };
        $client = new Client(self::NOWHERE, ['confirm' => 'none']);

        try {
            $client->trigger('x', ['a' => $thrower]);
            self::fail('nothing was thrown');
        } catch (\DomainException $exception) {
            self::assertSame('mine', $exception->getMessage());
        }
        self::assertMatchesRegularExpression(self::UUID7, $client->trigger('x', ['a' => new Serializable(['b' => 1])]));
    }

    public function testNamedArguments(): void
    {
        $client = new Client(self::NOWHERE, ['confirm' => 'none']);

        self::assertSame('mine', $client->trigger(event: 'x', options: ['id' => 'mine']));
        self::assertSame('mine', $client->trigger(options: ['id' => 'mine'], params: ['a' => 1], event: 'x'));
    }

    public function testNoBrokerIsToldWithinTheTimeout(): void
    {
        $client = new Client(self::NOWHERE, ['confirm' => 'accepted', 'timeout' => 0.2]);
        $begin = microtime(true);
        try {
            $client->trigger('x');
            self::fail('nothing was thrown');
        } catch (BrokerUnavailable $exception) {
            self::assertStringContainsString(self::NOWHERE, $exception->getMessage());
            self::assertStringContainsString('is the daemon running', $exception->getMessage());
        }

        self::assertEqualsWithDelta(0.2, microtime(true) - $begin, 0.15);
    }

    public function testFlushIsBounded(): void
    {
        // In a process of its own, because the event is lost at its end, which is told then.
        $code = sprintf(
            '$client = new Proletarier\Client("%s", ["timeout" => 5]);
            $client->trigger("x");
            $begin = microtime(true);
            $left = $client->flush(0.05);
            echo json_encode([$left, microtime(true) - $begin < 0.5, $client->spooled()]);
            posix_kill(posix_getpid(), SIGKILL);',
            self::NOWHERE
        );

        self::assertSame('[1,true,0]', PhpProcess::run(['-d', 'extension=' . LoadedExtension::file(), '-r', $code])->output);
    }

    /**
     * @testWith [-1.0, "-1"]
     *           [86401.0, "86401"]
     */
    public function testFlushTakesSeconds(float $seconds, string $shown): void
    {
        $this->expectException(InvalidArgument::class);
        $this->expectExceptionMessage("timeout: $shown is not allowed: give seconds from 0 to 86400, or null");
        (new Client(self::NOWHERE))->flush($seconds);
    }

    public function testWhatIsNeverConfirmedGoesToTheErrorLogWhole(): void
    {
        $code = sprintf(
            '$client = new Proletarier\Client("%s", ["timeout" => 0.1]);
            $id = $client->trigger("account.created", ["id" => 7, "name" => "Zoë"], ["headers" => ["traceparent" => "00-1"], "key" => "k"]);
            $client->trigger("second");
            echo $id;',
            self::NOWHERE
        );
        $process = PhpProcess::run(['-d', 'extension=' . LoadedExtension::file(), '-d', 'log_errors=1', '-d', 'error_log=', '-r', $code]);

        self::assertSame(0, $process->status);
        $lines = array_values(array_filter(explode("\n", $process->errors), static fn (string $line) => str_contains($line, '"proletarier":"lost"')));
        self::assertCount(2, $lines, $process->errors);
        $event = json_decode(substr($lines[0], strpos($lines[0], '{')), true);
        self::assertSame($process->output, $event['id']);
        self::assertSame(['account.created', ['id' => 7, 'name' => 'Zoë']], [$event['name'], $event['params']]);
        self::assertSame([['traceparent' => '00-1'], 'k'], [$event['headers'], $event['key']]);
    }

    public function testAProcessThatTriggersNothingEndsAtOnce(): void
    {
        $process = PhpProcess::run(['-d', 'extension=' . LoadedExtension::file(), '-r', 'new Proletarier\Client("' . self::NOWHERE . '");']);

        self::assertSame([0, '', ''], [$process->status, $process->output, $process->errors]);
    }

    /**
     * @testWith [[], "state_dir"]
     *           [[null, {"state_dir": "/tmp", "tiemout": 1}], "did you mean timeout?"]
     *           [["nonsense"], "connect: "]
     *           [["tcp://10.0.0.1:5555"], "curve"]
     *           [[null, {"state_dir": "relative"}], "absolute path"]
     */
    public function testWrongSettingsAreNamed(array $arguments, string $message): void
    {
        $this->expectException(Configuration::class);
        $this->expectExceptionMessage($message);
        new Client(...$arguments);
    }

    public function testTheSocketIsComputedFromTheDirectories(): void
    {
        $client = new Client(null, ['state_dir' => '/tmp/proletarier-none', 'timeout' => 0.01, 'confirm' => 'accepted']);

        $this->expectException(BrokerUnavailable::class);
        $this->expectExceptionMessage('ipc:///tmp/proletarier-none/run/events.sock');
        $client->trigger('x', [], ['spool' => false]);
    }
}
