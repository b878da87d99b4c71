<?php

declare(strict_types=1);

namespace Proletarier\Tests\Extension;

use PHPUnit\Framework\TestCase;
use Proletarier\ClientInterface;
use Proletarier\Testing\RecordingClient;

/**
 * The interfaces are for applications to implement and to be typed against.
 */
final class InterfacesTest extends TestCase
{
    public function testClientsOfTheApplicationsOwn(): void
    {
        $client = new class () implements ClientInterface {
            public function trigger(string|object $event, array $params = [], array $options = []): string
            {
                return is_string($event) ? $event : $event::class;
            }

            public function flush(?float $timeout = null): int
            {
                return 3;
            }

            public function spooled(): int
            {
                return 0;
            }
        };

        self::assertSame('x', $this->triggered($client, 'x'));
        self::assertSame(\stdClass::class, $this->triggered($client, new \stdClass()));
        self::assertSame(3, $client->flush());
    }

    public function testTheDoublesStandInForTheNativeClient(): void
    {
        $client = new RecordingClient();

        $this->triggered($client, 'x');
        $client->assertTriggered('x');
        self::assertInstanceOf(ClientInterface::class, $client);
    }

    public function testMocksOfTheInterfaces(): void
    {
        $client = $this->createMock(ClientInterface::class);
        $client->expects(self::once())->method('trigger')->with('x', ['a' => 1])->willReturn('id-1');
        $event = $this->createMock(\Proletarier\EventInterface::class);
        $event->method('getName')->willReturn('y');

        self::assertSame('id-1', $client->trigger('x', ['a' => 1]));
        self::assertSame('y', $event->getName());
    }

    private function triggered(ClientInterface $client, string|object $event): string
    {
        return $client->trigger($event);
    }
}
