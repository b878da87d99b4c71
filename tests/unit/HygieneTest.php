<?php

declare(strict_types=1);

namespace Proletarier\Tests\Unit;

use Doctrine\DBAL\Connection as DoctrineConnection;
use Doctrine\ORM\EntityManager;
use Laminas\Db\Adapter\Adapter;
use Laminas\Db\Adapter\Connection;
use PHPUnit\Framework\TestCase;
use Proletarier\Exception\Configuration;
use Proletarier\Hygiene\Hygiene;
use Proletarier\Hygiene\Made;
use Proletarier\Hygiene\Recycling;
use Proletarier\InternalEvents;
use Proletarier\Tests\Fixture\Services;
use Proletarier\Tests\PhpProcess;

/**
 * What one event leaves, and how the next one is kept from it.
 */
final class HygieneTest extends TestCase
{
    private InternalEvents $events;

    /** @var list<string> */
    private array $recycled = [];

    public static function setUpBeforeClass(): void
    {
        if (!interface_exists('Laminas\Db\Adapter\AdapterInterface')) {
            require_once __DIR__ . '/../Fixture/database/laminas.php';
        }
        if (!interface_exists('Doctrine\ORM\EntityManagerInterface')) {
            require_once __DIR__ . '/../Fixture/database/doctrine.php';
        }
    }

    protected function setUp(): void
    {
        $this->events = new InternalEvents();
    }

    private function hygiene(array $services, array $settings = []): Hygiene
    {
        $recycling = new Recycling(function (string $reason): void {
            $this->recycled[] = $reason;
        });
        $hygiene = new Hygiene($settings, new Services($services), $recycling);
        $hygiene->attach($this->events);

        return $hygiene;
    }

    public function testConnectionsThatTheBootstrapOpenedAreClosedBeforeTheFork(): void
    {
        $open = new Adapter(new Connection(true, ['driver' => 'Pdo_Mysql', 'database' => 'shop']));
        $unused = new Adapter(new Connection(false));
        $inMemory = new Adapter(new Connection(true, ['dsn' => 'sqlite::memory:']));
        $manager = new EntityManager();
        $doctrine = new DoctrineConnection();
        $doctrineInMemory = new DoctrineConnection(params: ['driver' => 'pdo_sqlite', 'memory' => true]);
        $services = ['Db' => $open, 'db.alias' => $open, 'other' => $unused, 'memory' => $inMemory, 'config' => [], 'number' => 5]
            + ['orm' => $manager, 'dbal' => $doctrine, 'dbal.memory' => $doctrineInMemory, 'dbal.orm' => $manager->getConnection()];

        self::assertSame(3, $this->hygiene($services)->beforeFork());
        self::assertSame([1, 0, 0], array_map(static fn ($adapter) => $adapter->connection->disconnected, [$open, $unused, $inMemory]));
        self::assertSame([1, 1, 0], [$manager->getConnection()->closed, $doctrine->closed, $doctrineInMemory->closed]);
        self::assertSame(0, $this->hygiene($services)->beforeFork());
    }

    public function testNoneIsClosedWhereThatIsSwitchedOff(): void
    {
        $adapter = new Adapter(new Connection(true));

        self::assertSame(0, $this->hygiene(['db' => $adapter], ['database' => false])->beforeFork());
        self::assertTrue($adapter->connection->isConnected());
    }

    public function testNoServiceIsMade(): void
    {
        $container = new Services(['db' => new Adapter(new Connection(true))]);
        $hygiene = new Hygiene([], $container);
        $hygiene->attach($this->events);
        $hygiene->beforeFork();
        $this->events->trigger('worker.result');

        self::assertSame([], $container->asked);
    }

    /** Where each kind of container keeps what it has made. */
    public function testMadeServicesAreFound(): void
    {
        $v3 = new class {
            protected array $services = ['a' => 1];
        };
        $v2 = new class {
            protected array $instances = ['a' => 1];
        };
        $diParent = new class {
            protected array $resolvedEntries = ['a' => 1];
        };
        $none = new class {
            private static array $services = ['a' => 1];
            public ?array $instances = null;
        };

        foreach ([$v3, $v2, $diParent] as $container) {
            self::assertSame(['a' => 1], (new Made($container))->all());
        }
        self::assertSame([], (new Made($none))->all());
        self::assertSame(['a' => 1], (new Made(new class extends HygieneTestContainer {
        }))->all());
    }

    public function testEntityManagersAreClearedAfterEachEvent(): void
    {
        $manager = new EntityManager();
        $this->hygiene(['doctrine.entitymanager.orm_default' => $manager, 'alias' => $manager]);
        self::assertTrue($this->events->hears('worker.result'));
        $this->events->trigger('worker.result');
        $this->events->trigger('worker.result');

        self::assertSame([2, []], [$manager->cleared, $this->recycled]);
    }

    public function testAnEntityManagerThatIsMadeLaterIsClearedToo(): void
    {
        $container = new class {
            public array $services = [];
        };
        (new Hygiene([], $container))->attach($this->events);
        $this->events->trigger('worker.result');
        $container->services['orm'] = new EntityManager();
        $this->events->trigger('worker.result');

        self::assertSame(1, $container->services['orm']->cleared);
    }

    public function testAWorkerWhoseEntityManagerIsClosedIsReplaced(): void
    {
        $manager = new EntityManager();
        $manager->open = false;
        $this->hygiene(['orm' => $manager]);
        $this->events->trigger('worker.result');
        $this->events->trigger('worker.result');

        self::assertSame(['an exception has closed a Doctrine entity manager'], $this->recycled);
    }

    public function testWhereDoctrineIsNotThereResultsAreNotAskedFor(): void
    {
        $process = PhpProcess::code(<<<'PHP'
            $events = new Proletarier\InternalEvents();
            (new Proletarier\Hygiene\Hygiene([], new Proletarier\Tests\Fixture\Services()))->attach($events);
            foreach (['worker.result', 'worker.idle', 'worker.error', 'worker.read'] as $name) {
                echo $name, ' ', var_export($events->hears($name), true), "\n";
            }
            PHP);

        self::assertSame("worker.result false\nworker.idle true\nworker.error false\nworker.read false\n", $process->output . $process->errors);
    }

    public function testAllOfItCanBeSwitchedOff(): void
    {
        $this->hygiene([], ['doctrine' => false, 'cycles' => false]);

        self::assertSame([false, false], [$this->events->hears('worker.result'), $this->events->hears('worker.idle')]);
    }

    public function testWhatIsNeitherTrueNorFalseIsRefused(): void
    {
        $this->expectException(Configuration::class);
        $this->expectExceptionMessage('hygiene.gone_away: string is not allowed: true or false');
        new Hygiene(['gone_away' => 'recycle'], new Services());
    }

    public function testCyclesAreFreedWhileNothingWaits(): void
    {
        $this->hygiene([]);
        gc_collect_cycles();
        $freed = 0;
        $make = static function (int $count) use (&$freed): void {
            for ($n = 0; $n < $count; $n++) {
                $object = new class ($freed) {
                    public ?object $self = null;

                    public function __construct(private int &$freed)
                    {
                    }

                    public function __destruct()
                    {
                        $this->freed++;
                    }
                };
                $object->self = $object;
            }
        };
        $make(3);
        $this->events->trigger('worker.idle');
        self::assertSame(0, $freed, 'a few are not worth it');
        $make(1000);
        $this->events->trigger('worker.idle');
        self::assertSame(1003, $freed);
    }

    public function testFewCyclesThatHoldMuchAreFreed(): void
    {
        $this->hygiene([]);
        gc_collect_cycles();
        $before = memory_get_usage();
        $this->events->trigger('worker.idle');
        for ($n = 0; $n < 3; $n++) {
            $object = new \stdClass();
            $object->self = $object;
            $object->ballast = str_repeat('x', 5 << 20);
        }
        unset($object);
        $this->events->trigger('worker.idle');

        self::assertLessThan($before + (1 << 20), memory_get_usage());
    }

    /** @return list<array{string, bool}> */
    public static function messages(): array
    {
        return [
            ['SQLSTATE[HY000]: General error: 2006 MySQL server has gone away', true],
            ['Statement could not be executed (HY000 - 2013 - Lost connection to MySQL server during query)', true],
            ['SQLSTATE[08006] [7] could not connect to server', true],
            ['SQLSTATE[57P01]: Admin shutdown: 7 FATAL:  terminating connection due to administrator command', true],
            ["pg_query(): Query failed: server closed the connection unexpectedly\n\tThis probably means", true],
            ['SQLSTATE[23000]: Integrity constraint violation: 1062 Duplicate entry', false],
            ['SQLSTATE[40001]: Serialization failure: 1213 Deadlock found', false],
            ['the customer has gone away', false],
            ['', false],
        ];
    }

    /** @dataProvider messages */
    public function testADatabaseThatHasGoneAwayHasTheWorkerReplacedWhereThatIsAskedFor(string $message, bool $meant): void
    {
        $this->hygiene([], ['gone_away' => true]);
        $this->events->trigger('worker.error', null, ['message' => $message]);
        $this->events->trigger('worker.error', null, ['message' => $message]);

        self::assertSame($meant ? ['the database connection has gone away'] : [], $this->recycled);
    }

    public function testTheFrameworksEventsAreUnderstood(): void
    {
        $this->hygiene([], ['gone_away' => true]);
        $event = new class {
            public function getParams(): array
            {
                return ['message' => 'MySQL server has gone away'];
            }
        };
        $listeners = new class {
            public array $by = [];

            public function attach(string $name, callable $listener, int $priority = 1): void
            {
                $this->by[$name] = $listener;
            }
        };
        $recycling = new Recycling(function (string $reason): void {
            $this->recycled[] = $reason;
        });
        (new Hygiene(['gone_away' => true], new Services(), $recycling))->attach($listeners);
        ($listeners->by['worker.error'])($event);

        self::assertCount(1, $this->recycled);
    }
}

/** A container whose services are private to it, as in a class that an application extends. */
abstract class HygieneTestContainer
{
    private array $services = ['a' => 1];
}
