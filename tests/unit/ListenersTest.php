<?php

declare(strict_types=1);

namespace Proletarier\Tests\Unit;

use PHPUnit\Framework\TestCase;
use Proletarier\Exception\Configuration;
use Proletarier\Listener\Listeners;
use Proletarier\Listener\NamedAggregate;
use Proletarier\Listener\NamedListener;
use Proletarier\Tests\Fixture\Aggregate;
use Proletarier\Tests\Fixture\Handler;
use Proletarier\Tests\Fixture\NativeEvent;
use Proletarier\Tests\Fixture\PrivateProperties;
use Proletarier\Tests\Fixture\Services;
use Proletarier\Tests\Fixture\Unmakeable;

/**
 * Every form of an entry in `proletarier.listeners`, and what is said of wrong ones.
 */
final class ListenersTest extends TestCase
{
    private Services $services;

    protected function setUp(): void
    {
        Handler::$made = 0;
        Aggregate::$made = 0;
        $this->services = new Services();
    }

    public function testCallablesStayAsTheyAre(): void
    {
        $closure = static fn () => 1;
        $handler = new Handler();

        self::assertSame(
            [
                ['a', $closure, 1, []],
                ['a', $handler, 5, []],
                ['*', [$handler, 'handle'], -1000, ['id' => 'mine', 'timeout' => 10]],
                ['a', 'strlen', 1, ['id' => 'a strlen']],
                ['a', Handler::class . '::handleStatically', 1, ['id' => 'a ' . Handler::class . '::handleStatically']],
                ['a', [Handler::class, 'handleStatically'], 1, ['id' => 'a ' . Handler::class . '::handleStatically']],
            ],
            $this->attachable([
                ['a', $closure],
                ['a', $handler, 5],
                ['*', [$handler, 'handle'], -1000, ['id' => 'mine', 'timeout' => 10]],
                ['a', 'strlen'],
                ['a', Handler::class . '::handleStatically'],
                ['a', [Handler::class, 'handleStatically']],
            ])
        );
    }

    public function testPriorityWhereTheOriginalLookedForIt(): void
    {
        $closure = static fn () => 1;

        self::assertSame([['a', $closure, 7, []]], $this->attachable([['a', $closure, null, 7]]));
    }

    public function testKeyedEntriesKeepTheirKey(): void
    {
        $closure = static fn () => 1;

        self::assertSame(
            [
                'map' => ['event' => 'a', 'listener' => $closure, 'retry' => ['delay' => 1], 'priority' => 1],
                'list' => ['event' => 'b', 'listener' => $closure, 'priority' => 3],
            ],
            $this->attachable([
                'map' => ['event' => 'a', 'listener' => $closure, 'retry' => ['delay' => 1]],
                'list' => ['b', $closure, 3],
                'removed' => false,
            ])
        );
    }

    public function testAMapNeedsNoKey(): void
    {
        $closure = static fn () => 1;

        self::assertSame(
            [['a', $closure, 2, ['parallel' => true]]],
            $this->attachable([['event' => 'a', 'listener' => $closure, 'priority' => 2, 'parallel' => true]])
        );
    }

    public function testAClassIsMadeWhenAskedAndOnce(): void
    {
        $listeners = $this->listeners([['a', Handler::class, 5]]);
        [[$event, $listener, $priority, $options]] = $listeners->attachable();

        self::assertSame(['a', 5, ['id' => 'a ' . Handler::class]], [$event, $priority, $options]);
        self::assertInstanceOf(NamedListener::class, $listener);
        self::assertSame(0, Handler::$made);

        $listeners->make();
        self::assertSame(1, Handler::$made);
        self::assertSame('invoked', $listener(new NativeEvent('a')));
        self::assertSame(1, Handler::$made);
    }

    public function testAServiceIsFetchedWhenAskedAndGivenTheContainer(): void
    {
        $handler = new Handler();
        $this->services = new Services(['App\Mailer' => $handler]);
        [[, $listener, , $options]] = $this->attachable([['a', 'App\Mailer']]);

        self::assertSame(['id' => 'a App\Mailer'], $options);
        self::assertSame([], $this->services->asked);
        $event = new NativeEvent('a');
        self::assertSame('invoked', $listener($event));
        self::assertSame([$event], $handler->events);
        self::assertSame($this->services, $handler->getServiceLocator());
    }

    public function testAServiceThatHasAContainerKeepsIt(): void
    {
        $handler = new Handler();
        $handler->setServiceLocator($own = new Services());
        $this->services = new Services(['App\Mailer' => $handler]);
        $this->listeners([['a', 'App\Mailer']])->make();

        self::assertSame($own, $handler->getServiceLocator());
    }

    public function testMethodOfAClassOrService(): void
    {
        $this->services = new Services(['App\Mailer' => new Handler()]);
        [[, $ofClass, , $options], [, $ofService]] = $this->attachable([
            ['a', [Handler::class, 'handle']],
            ['a', ['App\Mailer', 'handle']],
        ]);

        self::assertSame(['id' => 'a ' . Handler::class . '::handle'], $options);
        self::assertSame('handled', $ofClass(new NativeEvent('a')));
        self::assertSame('handled', $ofService(new NativeEvent('a')));
    }

    public function testAggregates(): void
    {
        $aggregate = new Aggregate();
        $this->services = new Services(['App\Mails' => new Aggregate()]);
        $listeners = $this->listeners([$aggregate, Aggregate::class, 'App\Mails', 'keyed' => Aggregate::class, 'removed' => false]);
        $attachable = $listeners->attachable();

        self::assertSame([0, 1, 2, 3], array_keys($attachable));
        self::assertSame($aggregate, $attachable[0]);
        self::assertContainsOnlyInstancesOf(NamedAggregate::class, array_slice($attachable, 1));
        self::assertSame(2, Aggregate::$made, 'by this test');
        $listeners->make();
        self::assertSame(4, Aggregate::$made);

        $events = new class () {
            public array $attached = [];

            public function attach(string $event, callable $listener, int $priority): void
            {
                $this->attached[] = [$event, $listener, $priority];
            }
        };
        $attachable[1]->attach($events, 9);
        [[$event, [$made, $method], $priority]] = $events->attached;
        self::assertSame(['a', 'on', 9], [$event, $method, $priority]);
        self::assertSame($this->services, $made->getServiceLocator());
        self::assertSame(4, Aggregate::$made);
    }

    /**
     * @dataProvider wrong
     */
    public function testWrongEntriesAreNamed(mixed $entries, string ...$messages): void
    {
        try {
            $this->listeners($entries);
        } catch (Configuration $error) {
            foreach ($messages as $message) {
                self::assertStringContainsString($message, $error->getMessage());
            }

            return;
        }
        self::fail('it was taken');
    }

    public static function wrong(): iterable
    {
        $listener = 'a listener is a callable, the name of a service or of a class with __invoke(), or [service or class, method]';
        $entry = 'an entry is [event, listener, priority?, options?], a map with the keys event and listener, or a listener aggregate';

        yield 'no array' => ['x', 'listeners: string is not allowed: give a list or a map', $entry];
        yield 'a number' => [[['a', 'strlen'], 5], 'listeners[1]: int is not allowed', $entry];
        yield 'an object' => [['x' => new PrivateProperties()], "listeners['x']: Proletarier\Tests\Fixture\PrivateProperties is not", $entry];
        yield 'an unknown aggregate' => [['App\Nothing'], "listeners[0]: 'App\Nothing' is neither a service nor a class", $entry];
        yield 'a class that is no aggregate' => [
            [Handler::class],
            "listeners[0]: the class 'Proletarier\Tests\Fixture\Handler' has no attach()",
            $entry,
        ];
        yield 'an empty list' => [[[]], 'listeners[0]: event and listener are needed', $entry];
        yield 'no listener' => [[['a']], 'listeners[0]: event and listener are needed', $entry];
        yield 'no event' => [['x' => ['listener' => 'strlen']], "listeners['x']: event and listener are needed", $entry];
        yield 'too long' => [[['a', 'strlen', 1, [], 2]], 'listeners[0]: an entry is'];
        yield 'options' => [[['a', 'strlen', 1, 'x']], 'listeners[0]: an entry is'];
        yield 'priority' => [[['a', 'strlen', '1']], 'listeners[0]: the priority is string: give an integer'];
        yield 'an unknown name' => [
            ['x' => ['event' => 'a', 'listener' => 'App\Nothing']],
            "listeners['x']: 'App\Nothing' is neither a service nor a class nor callable",
            $listener,
        ];
        yield 'a class without __invoke()' => [
            [['a', PrivateProperties::class]],
            "listeners[0]: the class 'Proletarier\Tests\Fixture\PrivateProperties' has no public method __invoke()",
            $listener,
        ];
        yield 'an unknown method' => [
            [['a', [Handler::class, 'nothing']]],
            "listeners[0]: the class 'Proletarier\Tests\Fixture\Handler' has no public method nothing()",
        ];
        yield 'a private method' => [[['a', [Handler::class, 'hide']]], 'has no public method hide()'];
        yield 'a method of an object' => [
            [['a', [new PrivateProperties(), 'x']]],
            "listeners[0]: 'Proletarier\Tests\Fixture\PrivateProperties::x' is neither",
        ];
        yield 'a number as listener' => [[['a', 5]], 'listeners[0]: int is no listener', $listener];
        yield 'a map as listener' => [[['a', ['x' => 1]]], 'listeners[0]: array is no listener', $listener];
        yield 'a pair of nothing' => [[['a', [null, 'x']]], "listeners[0]: 'null::x' is neither"];
    }

    /**
     * @dataProvider unmakeable
     */
    public function testWhatCannotBeMadeIsNamed(array $entries, array $services, string $message): void
    {
        $this->services = new Services($services);
        $listeners = $this->listeners($entries);

        $this->expectException(Configuration::class);
        $this->expectExceptionMessage($message);
        $listeners->make();
    }

    public static function unmakeable(): iterable
    {
        yield 'its constructor throws' => [
            ['mail' => ['event' => 'a', 'listener' => Unmakeable::class]],
            [],
            "listeners['mail']: 'Proletarier\Tests\Fixture\Unmakeable' could not be made: no database",
        ];
        yield 'a service without __invoke()' => [
            [['a', 'App\Mailer']],
            ['App\Mailer' => new PrivateProperties()],
            "listeners[0]: the service 'App\Mailer' is Proletarier\Tests\Fixture\PrivateProperties, which has no public method __invoke()",
        ];
        yield 'a service without the method' => [
            [['a', ['App\Mailer', 'send']]],
            ['App\Mailer' => new PrivateProperties()],
            'which has no public method send()',
        ];
        yield 'a service that is no aggregate' => [
            ['App\Mailer'],
            ['App\Mailer' => new Handler()],
            "listeners[0]: the service 'App\Mailer' is Proletarier\Tests\Fixture\Handler, which is no listener aggregate",
        ];
        yield 'a service that is no object' => [[['a', 'x']], ['x' => ['y']], "listeners[0]: the service 'x' gave array"];
    }

    public function testTheCauseIsKept(): void
    {
        try {
            $this->listeners([['a', Unmakeable::class]])->make();
        } catch (Configuration $error) {
            self::assertSame('no database', $error->getPrevious()?->getMessage());
        }
    }

    private function listeners(mixed $entries): Listeners
    {
        return Listeners::fromConfig($entries, $this->services);
    }

    private function attachable(array $entries): array
    {
        return $this->listeners($entries)->attachable();
    }
}
