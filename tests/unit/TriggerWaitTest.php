<?php

declare(strict_types=1);

namespace Proletarier\Tests\Unit;

use PHPUnit\Framework\TestCase;
use Proletarier\ClientInterface;
use Proletarier\Command\TriggerCommand;
use Proletarier\Exception\BrokerUnavailable;
use Proletarier\Exception\InvalidArgument;
use Proletarier\Testing\RecordingClient;
use Proletarier\Tests\Fixture\FakeControl;
use Proletarier\Tests\Fixture\Services;
use Symfony\Component\Console\Tester\CommandTester;

/**
 * The command `trigger`: its options, and waiting for what becomes of the event.
 */
final class TriggerWaitTest extends TestCase
{
    private const ID = '/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/';

    private FakeControl $control;
    private RecordingClient $client;
    private CommandTester $tester;

    protected function setUp(): void
    {
        $this->control = new FakeControl();
        $this->client = new RecordingClient();
    }

    private function trigger(array $arguments, ?ClientInterface $client = null): int
    {
        $services = new Services(['Proletarier\ClientInterface' => $client ?? $this->client, 'Proletarier\Control' => $this->control]);
        $this->tester = new CommandTester(new TriggerCommand($services));

        return $this->tester->execute(['event' => 'a'] + $arguments, ['capture_stderr_separately' => true]);
    }

    public function testOptions(): void
    {
        self::assertSame(0, $this->trigger([
            '--confirm' => 'synced',
            '--at' => '2030-01-31T08:00:00Z',
            '--expires' => '2030-02-01',
            '--unique' => 'u',
            '--unique-for' => '60',
            '--id' => 'own',
            '--header' => ['traceparent=00-1', 'x=a=b'],
        ]));
        [$event] = $this->client->events('a');
        self::assertSame("own\n", $this->tester->getDisplay());
        self::assertSame(['traceparent' => '00-1', 'x' => 'a=b'], $event->options['headers']);
        self::assertSame('2030-01-31T08:00:00+00:00', $event->options['at']->format('c'));
        self::assertSame('2030-02-01', $event->options['expires']->format('Y-m-d'));
        self::assertSame(['synced', 'u', 60.0, 'own'], array_map(
            static fn (string $option) => $event->options[$option],
            ['confirm', 'unique', 'unique_for', 'id']
        ));

        $this->trigger(['--expires' => '30']);
        self::assertSame(30.0, $this->client->events('a')[1]->options['expires']);
    }

    /**
     * @dataProvider wrong
     */
    public function testWrongOptions(array $arguments, string $message): void
    {
        $this->expectException(InvalidArgument::class);
        $this->expectExceptionMessage($message);
        $this->trigger($arguments);
    }

    public static function wrong(): iterable
    {
        yield 'at' => [['--at' => 'sometime'], "--at: 'sometime' is not allowed: give a time such as"];
        yield 'expires' => [['--expires' => 'never'], "--expires: 'never' is not allowed"];
        yield 'header' => [['--header' => ['a']], "--header: 'a' is not allowed: give name=value"];
        yield 'wait' => [['--wait' => 'long'], "--wait: 'long' is not allowed: give seconds, more than 0"];
        yield 'wait, unconfirmed' => [['--wait' => null, '--confirm' => 'deferred'], '--wait: it needs --confirm=accepted'];
    }

    public function testWaitsUntilItIsHandled(): void
    {
        $this->control->outcomes = [['state' => 'waiting'], ['state' => 'waiting'], ['state' => 'handled']];
        self::assertSame(0, $this->trigger(['--wait' => null]));

        [$id, $outcome] = explode("\n", $this->tester->getDisplay());
        self::assertMatchesRegularExpression(self::ID, $id);
        self::assertSame('handled', $outcome);
        self::assertSame($id, $this->client->events('a')[0]->options['id']);
        self::assertSame(['watch', 'outcome', 'outcome', 'outcome'], array_column($this->control->requests, 'command'));
        self::assertSame([$id], array_unique(array_column($this->control->requests, 'id')));
    }

    public function testTellsWhatFailed(): void
    {
        $this->control->outcomes = [['state' => 'failed', 'error' => "warehouse: RuntimeException: it\nis busy"]];
        self::assertSame(1, $this->trigger(['--wait' => '5', '--id' => 'own']));
        self::assertSame("own\nfailed: warehouse: RuntimeException: it is busy\n", $this->tester->getDisplay());
    }

    public function testEndsWhenTheTimeIsOver(): void
    {
        $this->control->outcomes = [['state' => 'waiting']];
        $began = microtime(true);
        self::assertSame(2, $this->trigger(['--wait' => '0.05', '--id' => 'own']));
        self::assertLessThan(5, microtime(true) - $began);
        self::assertSame("own\nstill waiting after 0.05 s\n", $this->tester->getDisplay());
    }

    public function testWaitsForTheEventThatHoldsTheUniqueKey(): void
    {
        $client = $this->client(fn (): string => 'other');
        $this->control->outcomes = [['state' => 'handled']];
        self::assertSame(0, $this->trigger(['--wait' => null, '--id' => 'own', '--unique' => 'u'], $client));
        self::assertSame("other\nhandled\n", $this->tester->getDisplay());
        self::assertSame(['own', 'other'], $this->control->watched);
        self::assertSame("An event with this unique key waits or runs already: other.\n", $this->tester->getErrorOutput());
    }

    public function testNothingIsTriggeredWhereNobodyCanBeAsked(): void
    {
        $this->control = new FakeControl();
        $services = new Services(['Proletarier\ClientInterface' => $this->client, 'Proletarier\Control' => new class () {
            public function request(array $request): array
            {
                throw new BrokerUnavailable('no daemon answers');
            }
        }]);
        try {
            (new CommandTester(new TriggerCommand($services)))->execute(['event' => 'a', '--wait' => null]);
            self::fail('nothing was thrown');
        } catch (BrokerUnavailable) {
            self::assertSame([], $this->client->events());
        }
    }

    public function testABrokerThatIsReplacedMeanwhile(): void
    {
        // It is away, comes back without a memory of the watch, has the event waiting, then handles it.
        $this->control->events = [1 => FakeControl::event('own')];
        $this->control->outcomes = [new BrokerUnavailable('away'), ['state' => 'unknown'], ['state' => 'handled']];
        self::assertSame(0, $this->trigger(['--wait' => null, '--id' => 'own']));
        self::assertSame(['own', 'own'], $this->control->watched);

        $this->control->letters = [1 => FakeControl::letter('own')];
        $this->control->outcomes = [['state' => 'unknown']];
        self::assertSame(1, $this->trigger(['--wait' => null, '--id' => 'own']));
        self::assertSame("own\nfailed: warehouse: RuntimeException: the warehouse is busy\n", $this->tester->getDisplay());

        [$this->control->letters, $this->control->events] = [[], []];
        self::assertSame(2, $this->trigger(['--wait' => null, '--id' => 'own']));
        self::assertSame("own\nunknown: the daemon was replaced, and has this event neither waiting nor failed\n", $this->tester->getDisplay());
    }

    public function testTellsThatTheEventIsInTheSpool(): void
    {
        $client = $this->client(fn (): string => 'own', 1);
        self::assertSame(0, $this->trigger([], $client));
        self::assertSame("own\n", $this->tester->getDisplay());
        self::assertStringContainsString('the event is in the spool', $this->tester->getErrorOutput());

        // The daemon that is asked does not have it yet.
        $this->control->outcomes = [['state' => 'unknown'], ['state' => 'handled']];
        self::assertSame(0, $this->trigger(['--wait' => null, '--id' => 'own'], $this->client(fn (): string => 'own', 1)));
    }

    /**
     * @param \Closure(): string $id what trigger() returns
     */
    private function client(\Closure $id, int $spools = 0): ClientInterface
    {
        return new class ($id, $spools) implements ClientInterface {
            private int $spooled = 0;

            public function __construct(private \Closure $id, private int $spools)
            {
            }

            public function trigger(string|object $event, array $params = [], array $options = []): string
            {
                $this->spooled += $this->spools;

                return ($this->id)();
            }

            public function flush(?float $timeout = null): int
            {
                return 0;
            }

            public function spooled(): int
            {
                return $this->spooled;
            }
        };
    }
}
