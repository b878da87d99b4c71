<?php

declare(strict_types=1);

namespace Proletarier\Tests\Extension;

use PHPUnit\Framework\TestCase;
use Proletarier\Exception;

/**
 * The exceptions are ones as PHP's own: applications throw, extend, log and serialize them.
 */
final class ExceptionsTest extends TestCase
{
    public function classes(): iterable
    {
        yield [Exception\InvalidArgument::class, \InvalidArgumentException::class];
        yield [Exception\Unencodable::class, \InvalidArgumentException::class];
        yield [Exception\MessageTooLarge::class, \LengthException::class];
        yield [Exception\BrokerUnavailable::class, \RuntimeException::class];
        yield [Exception\Overloaded::class, \RuntimeException::class];
        yield [Exception\Rejected::class, \RuntimeException::class];
        yield [Exception\Configuration::class, \InvalidArgumentException::class];
        yield [Exception\AlreadyRunning::class, \RuntimeException::class];
        yield [Exception\TimeoutError::class, \Error::class];
        yield [Exception\Unrecoverable::class, \RuntimeException::class];
    }

    /**
     * @dataProvider classes
     */
    public function testIsAnExceptionLikeAnyOther(string $class, string $parent): void
    {
        $previous = new \LogicException('why');
        $exception = new $class('what', 7, $previous);

        self::assertInstanceOf($parent, $exception);
        self::assertInstanceOf(Exception\ExceptionInterface::class, $exception);
        self::assertSame(['what', 7, $previous], [$exception->getMessage(), $exception->getCode(), $exception->getPrevious()]);
        self::assertSame([__FILE__, __LINE__ - 5], [$exception->getFile(), $exception->getLine()]);
        self::assertStringContainsString('testIsAnExceptionLikeAnyOther', $exception->getTraceAsString());
    }

    public function testTimeoutErrorPassesOldCodesCatch(): void
    {
        $this->expectException(Exception\TimeoutError::class);
        try {
            throw new Exception\TimeoutError('late');
        } catch (\Exception) {
            self::fail('swallowed');
        }
    }

    public function testUnrecoverableIsMarked(): void
    {
        self::assertInstanceOf(Exception\UnrecoverableExceptionInterface::class, new Exception\Unrecoverable());
        $own = new class ('mine') extends \DomainException implements Exception\UnrecoverableExceptionInterface {
        };
        self::assertInstanceOf(\Throwable::class, $own);
    }

    public function testRetryAfterKnowsItsSeconds(): void
    {
        $previous = new \LogicException('why');
        $exception = new Exception\RetryAfterException('busy', 2.5, $previous);

        self::assertSame(2.5, $exception->getSeconds());
        self::assertSame(['busy', 0, $previous], [$exception->getMessage(), $exception->getCode(), $exception->getPrevious()]);
        self::assertSame([__FILE__, __LINE__ - 4], [$exception->getFile(), $exception->getLine()]);
        self::assertSame(3.0, (new Exception\RetryAfterException('busy', 3))->getSeconds());
        self::assertSame(1.0, (new Exception\RetryAfterException(seconds: 1, message: 'named'))->getSeconds());
    }

    public function testRetryAfterCanBeExtended(): void
    {
        $exception = new class (4.0) extends Exception\RetryAfterException {
            public function __construct(float $seconds)
            {
                parent::__construct('rate limit', $seconds);
            }
        };

        self::assertSame(['rate limit', 4.0], [$exception->getMessage(), $exception->getSeconds()]);
    }

    /**
     * @testWith [[]]
     *           [["busy"]]
     *           [["busy", "soon"]]
     *           [["busy", 1.0, "why"]]
     */
    public function testRetryAfterChecksItsArguments(array $arguments): void
    {
        $this->expectException(\TypeError::class);
        new Exception\RetryAfterException(...$arguments);
    }
}
