<?php

declare(strict_types=1);

namespace Proletarier\Tests\Unit;

use PHPUnit\Framework\TestCase;
use Proletarier\ClientInterface;
use Proletarier\ConfigProvider;
use Proletarier\Container;
use Proletarier\Control;
use Proletarier\Daemon;
use Proletarier\Exception\Configuration;
use Proletarier\Exception\MessageTooLarge;
use Proletarier\Handler\EventLogger;
use Proletarier\InternalEvents;
use Proletarier\Log;
use Proletarier\Module;
use Proletarier\Spool;
use Proletarier\Testing\MockClient;
use Proletarier\Tests\Fixture\Handler;
use Proletarier\Tests\Fixture\NativeEvent;
use Proletarier\Tests\Fixture\Unmakeable;
use Proletarier\Tests\PhpProcess;
use Symfony\Component\Console\Command\Command;

/**
 * The services: that each is made of the configuration, by its factory.
 */
final class ServicesTest extends TestCase
{
    /**
     * @dataProvider services
     */
    public function testIsMade(string $name, string $class): void
    {
        $container = self::container(['client' => ['mock' => true]]);

        self::assertTrue($container->has($name));
        self::assertInstanceOf($class, $container->get($name));
        self::assertSame($container->get($name), $container->get($name));
    }

    public static function services(): iterable
    {
        yield ['Proletarier\ClientInterface', ClientInterface::class];
        yield ['Proletarier\Client', MockClient::class];
        yield ['Proletarier\Daemon', Daemon::class];
        yield ['Proletarier\Broker', Daemon::class];
        yield ['Proletarier\Worker', Daemon::class];
        yield ['Proletarier\EventManager', InternalEvents::class];
        yield ['Proletarier\Log', Log::class];
        yield ['Proletarier\Control', Control::class];
        yield ['Proletarier\Spool', Spool::class];
        yield ['Proletarier\Handler\EventLogger', EventLogger::class];
        foreach (array_values((new ConfigProvider())->getCommands()['commands']) as $command) {
            yield [$command, Command::class];
        }
    }

    public function testUnknownServices(): void
    {
        self::assertFalse(self::container([])->has('x'));
        $this->expectException(Configuration::class);
        $this->expectExceptionMessage("there is no service 'x'");
        self::container([])->get('x');
    }

    public function testModuleAndProviderAgree(): void
    {
        $provider = (new ConfigProvider())();

        self::assertSame(
            ['service_manager' => $provider['dependencies'], 'laminas-cli' => $provider['laminas-cli']],
            (new Module())->getConfig()
        );
        self::assertSame($provider, unserialize(serialize($provider)), 'fit for a configuration cache');
    }

    public function testTheClientNeedsTheExtension(): void
    {
        self::skipWithExtension();
        $this->expectException(Configuration::class);
        $this->expectExceptionMessage('The PHP extension proletarier is not loaded');
        self::container([])->get(ClientInterface::class);
    }

    public function testTheMockHasTheConfiguredLimit(): void
    {
        $client = static fn (array $settings) => self::container(['client' => ['mock' => true]] + $settings)->get(ClientInterface::class);
        $client(['broker' => ['max_message_size' => '2K']])->trigger('a', ['a' => str_repeat('b', 2040)]);

        $this->expectException(MessageTooLarge::class);
        $this->expectExceptionMessage('at most 10 are allowed');
        $client(['broker' => ['max_message_size' => 10]])->trigger('a', ['a' => 'bcdef']);
    }

    public function testTheNativeClientGetsItsSettings(): void
    {
        self::skipWithExtension();
        $process = PhpProcess::code(<<<'PHP'
            require 'tests/Fixture/extension.php';
            $make = fn (array $settings) => (new Proletarier\Container(['proletarier' => $settings]))->get('Proletarier\Client');
            echo json_encode([
                $make(['state_dir' => '/s'])->arguments,
                $make([
                    'state_dir' => '/s',
                    'runtime_dir' => '/r',
                    'client' => ['timeout' => 1, 'mock' => false],
                    'broker' => ['bind' => 'ipc:///b', 'max_message_size' => 9, 'curve' => ['public' => 'p'], 'pull' => 'x'],
                    'worker' => ['pool_size' => 2],
                ])->arguments,
                $make(['state_dir' => '/s', 'client' => ['connect' => 'ipc:///c'], 'broker' => ['bind' => 'ipc:///b']])->arguments,
            ], JSON_UNESCAPED_SLASHES);
            PHP);

        self::assertSame([
            [null, ['state_dir' => '/s']],
            ['ipc:///b', ['timeout' => 1, 'state_dir' => '/s', 'runtime_dir' => '/r', 'max_message_size' => 9, 'curve' => ['public' => 'p']]],
            ['ipc:///c', ['state_dir' => '/s']],
        ], json_decode($process->output, true), $process->errors);
    }

    public function testWhatTheDaemonRuns(): void
    {
        self::skipWithExtension();
        $process = PhpProcess::code(<<<'PHP'
            require 'tests/Fixture/extension.php';
            $container = new Proletarier\Container(['proletarier' => [
                'state_dir' => '/s',
                'worker' => ['pool_size' => 2, 'grace' => 1],
                'listeners' => [['a', 'strlen']],
            ]]);
            foreach (['Daemon', 'Broker', 'Worker'] as $service) {
                $status = $container->get("Proletarier\\$service")->run($service === 'Worker' ? 7 : null);
                [$listeners, $options] = $GLOBALS['run'];
                $options['events'] = is_callable($options['events']);
                $options['logger'] = get_class($options['logger']);
                echo json_encode([$status, $listeners, $options], JSON_UNESCAPED_SLASHES), "\n";
            }
            PHP);

        $log = interface_exists(\Psr\Log\LoggerInterface::class) ? Log\PsrLog::class : Log::class;
        $run = static fn (string $role, array $listeners, int $size): array => [
            3,
            $listeners,
            [
                'role' => $role,
                'events' => true,
                'state_dir' => '/s',
                'worker' => ['pool_size' => $size, 'grace' => 1],
                'logger' => $log,
            ],
        ];
        $listeners = [['a', 'strlen', 1, ['id' => 'a strlen']]];
        self::assertSame(
            [$run('all', $listeners, 2), $run('broker', [], 2), $run('worker', $listeners, 7)],
            array_map(static fn ($line) => json_decode($line, true), explode("\n", trim($process->output))),
            $process->errors
        );
    }

    public function testWhatAsksTheDaemonGetsTheSettings(): void
    {
        self::skipWithExtension();
        $process = PhpProcess::code(<<<'PHP'
            require 'tests/Fixture/extension.php';
            $container = new Proletarier\Container(['proletarier' => ['state_dir' => '/s', 'worker' => ['pool_size' => 2]]]);
            echo json_encode([
                $container->get('Proletarier\Control')->request(['command' => 'status'], 7.5),
                $container->get('Proletarier\Control')->request(['command' => 'status']),
            ], JSON_UNESCAPED_SLASHES), "\n";
            try {
                $container->get('Proletarier\Spool')->request('list');
            } catch (Proletarier\Exception\Configuration $error) {
                echo $error->getMessage();
            }
            PHP);

        $settings = ['state_dir' => '/s', 'worker' => ['pool_size' => 2]];
        [$asked, $error] = explode("\n", $process->output) + [1 => $process->errors];
        self::assertSame(
            [[['command' => 'status'], ['timeout' => 7.5] + $settings], [['command' => 'status'], ['timeout' => null] + $settings]],
            json_decode($asked, true)
        );
        self::assertStringEndsWith('has no proletarier_spool(): it is older than the package. Install the release that belongs to it', $error);
    }

    public function testListenersAreMadeAtWorkerLaunch(): void
    {
        Handler::$made = 0;
        $tell = self::container(['listeners' => [['a', Handler::class]]])->get('Proletarier\Daemon')->options()['events'];
        $tell('worker.idle', []);
        self::assertSame(0, Handler::$made);
        $tell('worker.launch', ['worker' => 1]);
        self::assertSame(1, Handler::$made);

        $this->expectException(Configuration::class);
        $this->expectExceptionMessage('listeners[0]');
        self::container(['listeners' => [['a', Unmakeable::class]]])->get('Proletarier\Daemon')->options()['events']('worker.launch', []);
    }

    public function testInternalEventsReachTheApplication(): void
    {
        $told = [];
        $container = self::container(['events' => static function (string $name, array $params) use (&$told): void {
            $told[] = ['setting', $name, $params];
        }]);
        $events = $container->get('Proletarier\EventManager');
        foreach ([1 => 'second', 2 => 'first'] as $priority => $which) {
            $events->attach('worker.read', static function (array $params, string $name) use (&$told, $which): void {
                $told[] = [$which, $name, $params];
            }, $priority);
        }
        $tell = $container->get('Proletarier\Broker')->options()['events'];
        $tell('worker.read', ['id' => 'x']);
        $tell('worker.exit', []);

        self::assertSame([
            ['first', 'worker.read', ['id' => 'x']],
            ['second', 'worker.read', ['id' => 'x']],
            ['setting', 'worker.read', ['id' => 'x']],
            ['setting', 'worker.exit', []],
        ], $told);
    }

    public function testInternalEventsThatNobodyListensToNeedNotBeTold(): void
    {
        $container = self::container([]);
        $container->get('Proletarier\EventManager')->attach('worker.read', static function (): void {
        });
        $tell = $container->get('Proletarier\Daemon')->options()['events'];

        self::assertTrue($tell('worker.read', ['id' => 'x']));
        self::assertFalse($tell('worker.result', ['id' => 'x']));
    }

    public function testInternalEventsOfAFramework(): void
    {
        $process = PhpProcess::code(<<<'PHP'
            require 'Laminas/EventManager/autoload.php';
            $container = new Proletarier\Container([]);
            $events = $container->get('Proletarier\EventManager');
            $events->attach('worker.read', fn ($event) => print get_class($event) . ' ' . json_encode($event->getParams()));
            $tell = $container->get('Proletarier\Daemon')->options()['events'];
            echo var_export($tell('worker.read', ['id' => 'x']), true), ' ', var_export($tell('worker.idle', []), true);
            PHP);

        self::assertSame(['Laminas\EventManager\Event {"id":"x"}true false', ''], [$process->output, $process->errors]);
    }

    /**
     * @dataProvider loggers
     */
    public function testEventLogger(array $settings, string $context): void
    {
        $stream = fopen('php://memory', 'w+');
        (new EventLogger(Log::create(['format' => 'json'], $stream), ...$settings))(new NativeEvent('a', ['secret' => 1]));
        rewind($stream);

        self::assertStringEndsWith('"level":"info","message":"a",' . $context . "}\n", stream_get_contents($stream));
    }

    public static function loggers(): iterable
    {
        yield 'without params' => [[], '"id":"id-1","attempt":2'];
        yield 'with params' => [['params' => true], '"id":"id-1","attempt":2,"params":{"secret":1}'];
    }

    /**
     * For what needs a process in which the extension is absent, or is played by a fixture.
     */
    private static function skipWithExtension(): void
    {
        if (extension_loaded('proletarier')) {
            self::markTestSkipped('the extension is loaded');
        }
    }

    private static function container(array $settings): Container
    {
        return new Container(['proletarier' => $settings]);
    }
}
